"""Check a cell that stands for a person: the same written form, and the same refusals, as for events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from profiles.identity.junk import is_junk
from profiles.identity.normalise import normalise
from profiles.importing.checking import Check

_CODES = {"email": "not_an_email", "phone": "not_a_phone"}


def identifier_check(kind: str, blocked: Mapping[str, Sequence[str]], country: str = "") -> Check:
    """Return the check of a kind of identifier.

    `blocked` holds the values an administrator added, by kind; `country` is that of telephone numbers without one.
    """
    code = _CODES.get(kind, "not_an_identifier")
    words = tuple(blocked.get(kind, ()))

    def check_identifier(text: str) -> tuple[Any, str]:
        value = normalise(kind, text, country)
        if not value:
            return None, code
        return (None, "stands_for_nobody") if is_junk(kind, value, words) else (value, "")

    return check_identifier
