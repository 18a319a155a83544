"""Walls around Liquid's filters: no width bombs, no unescaped text, work that counts.

Liquid cannot reach Python objects; what is left to fear is size and time. Each filter is wrapped so that it takes and
gives bounded values, and so that text stays text: a filter gets plain strings, never markup, so that what it cuts or
joins is escaped again when it is printed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from markupsafe import Markup, escape

from campaigns.rendering.budget import LimitReached, spend

MAX_TEXT = 100_000
MAX_ITEMS = 10_000
MAX_BITS = 4_096

#: removed: `safe` prints unescaped; the others serve scripts or hide text from the checks at save
REMOVED_FILTERS = ("safe", "escapejs", "base64_decode", "base64_url_safe_decode")
#: filters of which the result is markup made from escaped text
MARKUP_FILTERS = frozenset({"escape", "newline_to_br", "url_encode", "safe_url"})
_DATE_WIDTH = re.compile(r"%[^a-zA-Z%]*\d")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
ALLOWED_SCHEMES = ("http:", "https:", "mailto:", "tel:")

#: how large a value one more step stands for
_CHARACTERS, _ITEMS = 100, 20


def safe_url(value: object) -> str:
    """Return the address when its scheme is one of a mail's (http, https, mailto, tel), else `#` (A36).

    Browsers drop control characters and blanks inside a scheme, so they are dropped before looking.
    """
    text = str(value.unescape() if isinstance(value, Markup) else value)
    bare = re.sub(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\ufeff]", "", text)
    allowed = bare.lower().startswith(ALLOWED_SCHEMES)
    if not allowed and (_SCHEME.match(bare) or bare.startswith(("//", "\\", "/\\"))):
        return Markup("#")
    return escape(text.strip()) if allowed else Markup("#")


def guard_filters(filters: dict[str, Callable[..., Any]]) -> None:
    """Wrap every filter of a Liquid environment, in place."""
    for name in REMOVED_FILTERS:
        filters.pop(name, None)
    filters["safe_url"] = safe_url
    for name, function in list(filters.items()):
        filters[name] = _guarded(name, function)


def _guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    gives_markup = name in MARKUP_FILTERS
    foresee = _FORESEEN.get(name)

    @functools.wraps(function)
    def wrapper(value: object, *args: object, **kwargs: object) -> object:
        value = _bounded(value)
        spend(1 + _size(value))
        plain = [_bounded(argument) for argument in args]
        if foresee is not None:
            foresee(value, plain)
        result = function(value, *plain, **kwargs)
        if isinstance(result, Markup) and not gives_markup:
            result = result.unescape()
        return _bounded(result) if not gives_markup else result

    return wrapper


def _bounded(value: object) -> object:
    """Return the value as plain data; raise when it is larger than a mail needs."""
    if isinstance(value, Markup):
        value = value.unescape()
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise LimitReached("a text grows too long")
    elif isinstance(value, (list, tuple, range, dict)):
        if len(value) > MAX_ITEMS:
            raise LimitReached("a list grows too long")
    elif isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise LimitReached("a number grows too large")
    return value


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value) // _CHARACTERS
    return len(value) // _ITEMS if isinstance(value, (list, tuple, range, dict)) else 0


def _foresee_uniq(value: object, _args: list[Any]) -> None:
    # The library compares each item with all that it has kept.
    if isinstance(value, (list, tuple)):
        spend(len(value) * len(value) // 4_000)


def _foresee_replace(value: object, args: list[Any]) -> None:
    text, old, new = str(value), str(args[0]) if args else "", str(args[1]) if len(args) > 1 else ""
    times = text.count(old) if old else len(text) + 1
    if len(text) + times * len(new) > MAX_TEXT:
        raise LimitReached("a text grows too long")


def _foresee_join(value: object, args: list[Any]) -> None:
    separator = str(args[0]) if args else " "
    if isinstance(value, (list, tuple)):
        size = sum(len(item) if isinstance(item, str) else 20 for item in value)
        if size + len(separator) * len(value) > MAX_TEXT:
            raise LimitReached("a text grows too long")


def _foresee_date(value: object, args: list[Any]) -> None:
    pattern = str(args[0]) if args else ""
    if len(pattern) > 60 or _DATE_WIDTH.search(pattern):
        raise LimitReached("this date format is not allowed")
    if isinstance(value, str) and len(value) > 60:
        raise LimitReached("this is not a date")


_FORESEEN: dict[str, Callable[[object, list[Any]], None]] = {
    "replace": _foresee_replace,
    "replace_first": _foresee_replace,
    "replace_last": _foresee_replace,
    "join": _foresee_join,
    "date": _foresee_date,
    "uniq": _foresee_uniq,
}
