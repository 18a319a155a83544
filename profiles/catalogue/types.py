"""The types that values of traits and properties have, as rules, imports and the catalogue speak of them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

TEXT, NUMBER, YES_NO, DATE, LIST, OTHER = "text", "number", "yes_no", "date", "list", "object"
ALL_TYPES = frozenset({TEXT, NUMBER, YES_NO, DATE, LIST, OTHER})

#: text that begins with a calendar day, with or without a time after it
DAY_PATTERN = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ].*)?$"
_DAY = re.compile(DAY_PATTERN, re.DOTALL)


def is_day(text: str) -> bool:
    """Tell whether a text begins with a calendar day."""
    # Most texts are none: one look at one character spares the expression.
    return text[4:5] == "-" and _DAY.fullmatch(text) is not None


def type_of(value: Any) -> str:
    """Return the type of a stored JSON value; text that begins with a day is a date."""
    if isinstance(value, str):
        return DATE if is_day(value) else TEXT
    if isinstance(value, bool):
        return YES_NO
    if isinstance(value, (int, float, Decimal)):
        return NUMBER
    return LIST if isinstance(value, (list, tuple)) else OTHER
