"""An identifier as it stands in free text: whole, in any letter case."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

#: a shorter number or name stands in many places that have nothing to do with the person
SHORTEST = 7


def telling(values: Iterable[str]) -> list[str]:
    """Return the values that speak of nobody else when they are found somewhere."""
    return sorted({value for value in values if len(value) >= SHORTEST})


@lru_cache(maxsize=1000)
def whole_word(value: str) -> re.Pattern[str]:
    """Return the pattern of a value that is no part of another address, number or name."""
    return re.compile(rf"(?<![\w.+@-]){re.escape(value)}(?![\w@-])", re.IGNORECASE)


def redacted(value: Any, words: Collection[str], mark: str) -> Any:
    """Return JSON with `mark` in the place of each of these words, in names too; itself when there is none."""
    if isinstance(value, str):
        for word in words:
            value = whole_word(word).sub(mark, value)
        return value
    if isinstance(value, list):
        return [redacted(item, words, mark) for item in value]
    if isinstance(value, dict):
        return {redacted(name, words, mark): redacted(item, words, mark) for name, item in value.items()}
    return value
