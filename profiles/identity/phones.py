"""Telephone numbers in their one form, E.164 (`+31612345678`), by the numbering plans of the phonenumbers library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberType

MAX_LENGTH = 40
#: what stands between digits; letters (`0800-FLOWERS`, `ext. 5`) make it something else than one person's number
_WRITTEN = re.compile(r"(?:tel:)?[\d\s()+.\-/\u2010-\u2015]+", re.IGNORECASE)
_OF_A_PERSON = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
        PhoneNumberType.PERSONAL_NUMBER,
    }
)
REGIONS: frozenset[str] = frozenset(phonenumbers.SUPPORTED_REGIONS)
_LOCALE = re.compile(r"[a-z]{2,3}[-_](?:[a-z]{4}[-_])?([a-z]{2})\b", re.IGNORECASE)

_home = [""]


def set_home_region(region: str) -> None:
    """Say in which country numbers without one are; once, when a process starts (the setting BUSINESS_COUNTRY)."""
    _home[0] = region


def home_region() -> str:
    """Return the country of numbers without one; empty when none was set."""
    return _home[0]


def normal_phone(text: str, region: str = "") -> str:
    """Return a number as E.164; empty for what is no number that a person can have.

    `region` (ISO 3166, two letters) is the country of a number that is written without one.
    """
    return _normal_phone(text, region or _home[0]) if len(text) <= MAX_LENGTH else ""


@lru_cache(maxsize=65536)
def _normal_phone(text: str, region: str) -> str:
    if not _WRITTEN.fullmatch(text):
        return ""
    if text.startswith("00"):  # the way out of most countries, whichever this one is
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return ""
    if phonenumbers.number_type(number) not in _OF_A_PERSON:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def region_of(parts: Iterable[Any], context: Mapping[str, Any] | None = None) -> str:
    """Return the country that traits speak of, else that of their or the device's locale; empty when none does.

    `parts` are objects of traits, the one that counts first; what is no object is passed over.
    """
    holders: list[Mapping[str, Any]] = [part for part in parts if type(part) is dict]
    for holder in holders:
        country = holder.get("country")
        if type(country) is str and country.strip().upper() in REGIONS:
            return country.strip().upper()
    for holder in (*holders, context or {}):
        locale = holder.get("locale")
        found = _LOCALE.match(locale) if type(locale) is str else None
        if found and found[1].upper() in REGIONS:
            return found[1].upper()
    return ""
