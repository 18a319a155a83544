"""Turn the text of a cell into a value of the type the marketer chose, or say why not.

Every check has the form text -> (value, code): the code is "" or a key of profiles.importing.reasons. Cells come in
stripped and not empty: an empty cell says nothing and never clears a value.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

MAX_TEXT = 10_000  # characters of one trait
MAX_LIST = 100  # entries

Check = Callable[[str], tuple[Any, str]]

_PLAIN_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,15})?")
_POINT_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3}){0,5}|\d{1,18})(\.\d{1,15})?")
_COMMA_NUMBER = re.compile(r"[+-]?(\d{1,3}([. ]\d{3}){0,5}|\d{1,18})(,\d{1,15})?")
_CURRENCY = re.compile(r"^(EUR|USD|GBP|CHF|€|\$|£)\s*|\s*(EUR|USD|GBP|CHF|€|\$|£)$")
_DATE = re.compile(
    r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?:[T ](\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?\s*(?:Z|[+-]\d{2}:?\d{2})?))?"
)

_YES = frozenset({"yes", "y", "true", "t", "1", "on", "x", "ja", "j", "waar", "aan", "wahr"})
_NO = frozenset({"no", "n", "false", "f", "0", "off", "-", "nee", "onwaar", "uit", "nein", "falsch"})


def check_text(text: str) -> tuple[Any, str]:
    """Accept text of up to MAX_TEXT characters."""
    return (text, "") if len(text) <= MAX_TEXT else (None, "text_too_long")


def number_check(decimal_comma: bool) -> Check:
    """Return a check for numbers, written 1.234,56 (decimal comma) or 1,234.56; a currency sign may stand beside it."""
    grouped, thousands = (_COMMA_NUMBER, re.compile("[. ]")) if decimal_comma else (_POINT_NUMBER, re.compile(","))

    def check_number(text: str) -> tuple[Any, str]:
        bare = _CURRENCY.sub("", text.replace("\u00a0", " ")).strip()
        if not grouped.fullmatch(bare):
            return None, "not_a_number"
        plain = thousands.sub("", bare).replace(",", ".")
        if not _PLAIN_NUMBER.fullmatch(plain):
            return None, "not_a_number"
        return (float(plain) if "." in plain else int(plain)), ""

    return check_number


def date_check(day_first: bool) -> Check:
    """Return a check for dates, with or without a time: year first always works, else as `day_first` says."""

    def check_date(text: str) -> tuple[Any, str]:
        match = _DATE.fullmatch(text)
        if not match:
            return None, "not_a_date"
        first, middle, last, clock = match.groups()
        if len(first) == 4 and len(last) <= 2:
            year, month, day = first, middle, last
        elif len(last) == 4 and len(first) <= 2:
            year = last
            day, month = (first, middle) if day_first else (middle, first)
        else:
            return None, "short_year"
        try:
            date = dt.date(int(year), int(month), int(day))
            if date.year < 1000:
                return None, "not_a_date"
            if not clock:
                return date.isoformat(), ""
            moment = dt.datetime.fromisoformat(f"{date.isoformat()}T{clock.replace(' ', '').zfill(5)}")
        except ValueError:
            return None, "not_a_date"
        return moment.isoformat(), ""

    return check_date


def check_yes_no(text: str) -> tuple[Any, str]:
    """Accept yes and no in English, Dutch and German, and what programs write for them."""
    word = text.lower()
    if word in _YES:
        return True, ""
    if word in _NO:
        return False, ""
    return None, "not_yes_or_no"


def check_list(text: str) -> tuple[Any, str]:
    """Cut at `;`, or else `|`, or else `,`; drop what is empty or there twice."""
    mark = next((mark for mark in ";|," if mark in text), ",")
    entries = list(dict.fromkeys(entry.strip() for entry in text.split(mark) if entry.strip()))
    if len(entries) > MAX_LIST:
        return None, "list_too_long"
    if any(len(entry) > MAX_TEXT for entry in entries):
        return None, "text_too_long"
    return entries, ""


#: type name -> factory(day_first, decimal_comma) -> check
_CHECKS: dict[str, Callable[[bool, bool], Check]] = {
    "text": lambda day_first, decimal_comma: check_text,
    "number": lambda day_first, decimal_comma: number_check(decimal_comma),
    "date": lambda day_first, decimal_comma: date_check(day_first),
    "yesno": lambda day_first, decimal_comma: check_yes_no,
    "list": lambda day_first, decimal_comma: check_list,
}
TYPES = tuple(_CHECKS)


def check_for(type_name: str, *, day_first: bool = True, decimal_comma: bool = True) -> Check:
    """Return the check of a type; raise KeyError for a type that is not in TYPES."""
    return _CHECKS[type_name](day_first, decimal_comma)


def guess_type(samples: list[str]) -> tuple[str, bool, bool]:
    """Return (type, day_first, decimal_comma) that fits every sample; text when nothing narrower does.

    Numbers that begin with a zero are codes (postcodes, phone numbers, article numbers) and stay text.
    """
    seen = [sample.strip() for sample in samples if sample.strip()]
    if not seen:
        return "text", True, True
    for day_first in (True, False):
        check = date_check(day_first)
        if all(not check(sample)[1] for sample in seen):
            return "date", day_first, True
    if not any(re.match(r"[+-]?0\d|\+", sample) or len(sample) > 15 for sample in seen):
        for decimal_comma in (True, False):
            check = number_check(decimal_comma)
            if all(not check(sample)[1] for sample in seen):
                return "number", True, decimal_comma
    words = {sample.lower() for sample in seen}
    if words <= _YES | _NO and len(words) > 1:
        return "yesno", True, True
    return "text", True, True
