"""Turn the text of a cell into a value of the type the marketer chose, or say why not.

Every check has the form text -> (value, code): the code is "" or a key of profiles.importing.reasons. Cells come in
stripped and not empty: an empty cell says nothing and never clears a value.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 10_000  # characters of one trait
MAX_LIST = 100  # entries
MAX_DIGITS = 18  # of a whole number

Check = Callable[[str], tuple[Any, str]]

_CURRENCY = r"(?:EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|€|\$|£|zł|kr\.?|Kč)"
_NUMBER = (
    rf"(?P<sign>[+-]?) ?(?:{_CURRENCY} ?(?P<inner>[+-]?) ?)?"
    r"(?P<whole>[1-9]\d{0,2}(?P<group>[%s ])\d{3}(?:(?P=group)\d{3}){0,4}|\d{1,18}|(?=%s\d))"
    r"(?:%s(?P<part>\d{1,15}|-{1,2}))?"
    rf" ?(?:%%|{_CURRENCY})?(?P<after>-?)"
)
_COMMA_NUMBER = re.compile(_NUMBER % (".'", ",", ","), re.IGNORECASE)
_POINT_NUMBER = re.compile(_NUMBER % (",'", r"\.", r"\."), re.IGNORECASE)
_MINUS = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2212’", "------'")
_DATE = re.compile(
    r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?:[T ](\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?\s*(?:Z|[+-]\d{2}:?\d{2})?))?"
)

_YES = frozenset({"yes", "y", "true", "t", "1", "on", "x", "ja", "j", "waar", "aan", "wahr"})
_NO = frozenset({"no", "n", "false", "f", "0", "off", "-", "nee", "onwaar", "uit", "nein", "falsch"})


def check_text(text: str) -> tuple[Any, str]:
    """Accept text of up to MAX_TEXT characters."""
    return (text, "") if len(text) <= MAX_TEXT else (None, "text_too_long")


def number_check(decimal_comma: bool) -> Check:
    """Return a check for numbers, written 1.234,56 (decimal comma) or 1,234.56, or with blanks between thousands.

    A currency or percent sign may stand beside it (12,5 % is 12.5); what is owed may be -45, 45- or (45); 45,- is 45.
    """
    pattern = _COMMA_NUMBER if decimal_comma else _POINT_NUMBER

    def check_number(text: str) -> tuple[Any, str]:
        if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:  # most are
            return int(text), ""
        bare = " ".join(unicodedata.normalize("NFKC", text).translate(_MINUS).split())
        owed = bare.startswith("(") and bare.endswith(")")
        found = pattern.fullmatch(bare[1:-1].strip() if owed else bare)
        if not found:
            return None, "not_a_number"
        signs = [sign for sign in (found["sign"], found["inner"], found["after"], "-" if owed else "") if sign]
        if len(signs) > 1:
            return None, "not_a_number"
        whole, part = re.sub(r"\D", "", found["whole"]) or "0", (found["part"] or "").strip("-")
        value: int | float = float(f"{whole}.{part}") if part else int(whole)
        return (-value if signs == ["-"] else value), ""

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


@dataclass(frozen=True)
class Guess:
    """What a column seems to hold. `unclear`: its cells can be read in two ways, so that a person must say which."""

    type: str = "text"
    day_first: bool = True
    decimal_comma: bool = True
    unclear: bool = False


def forms(text: str, one: Check, other: Check) -> str:
    """Return how a cell can be read: "one" or "other" way only, "both" to the same, "either" to another, "" neither."""
    (first, no), (second, nor) = one(text), other(text)
    if no or nor:
        return "" if no and nor else "other" if no else "one"
    return "both" if first == second else "either"


DATE_WAYS = (date_check(True), date_check(False))
NUMBER_WAYS = (number_check(True), number_check(False))


def guess_type(samples: Sequence[str]) -> Guess:
    """Return the type that fits the samples, decided by the column as a whole; text when nothing narrower does.

    Some misfits are taken for mistakes: a day that is not in the calendar, one cell in ten of dates, one in twenty of
    numbers. Numbers that begin with a zero are codes (postcodes, phone numbers, article numbers) and stay text.
    """
    seen = [sample.strip() for sample in samples if sample.strip()]
    if not seen:
        return Guess()
    dates = [sample for sample in seen if _DATE.fullmatch(sample)]
    if len(dates) >= 0.9 * len(seen):
        found = {forms(sample, *DATE_WAYS) for sample in dates}
        if found - {""}:
            # Months come first only where slashes are written.
            return _guess("date", found, asks="/" in "".join(dates))
    if not any(re.match(r"[+-]?0\d|\+", sample) or len(sample) > 24 for sample in seen):
        ways = [forms(sample, *NUMBER_WAYS) for sample in seen]
        if sum(way != "" for way in ways) >= 0.95 * len(seen):
            return _guess("number", set(ways), asks=True)
    words = {sample.lower() for sample in seen}
    if words <= _YES | _NO and len(words) > 1:
        return Guess("yesno")
    return Guess()


def _guess(type_name: str, found: set[str], *, asks: bool) -> Guess:
    """Return a guess by how the cells of a column can be read. `asks`: ask when nothing in it tells the one way."""
    mixed = {"one", "other"} <= found
    unclear = mixed or (asks and "either" in found and not {"one", "other"} & found)
    one_way = "other" not in found
    return Guess(
        type_name,
        day_first=one_way or type_name != "date",
        decimal_comma=one_way or type_name != "number",
        unclear=unclear,
    )
