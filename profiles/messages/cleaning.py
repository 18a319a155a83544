"""Make what came in storable: PostgreSQL takes no NUL, no half characters, no infinite numbers; we take no abyss."""

from __future__ import annotations

import math
from typing import Any

from profiles.messages.limits import MAX_EVENT_DEPTH, MAX_INTEGER

_DEEPEST = MAX_EVENT_DEPTH.value
_LEAST, _MOST = -MAX_INTEGER.value - 1, MAX_INTEGER.value


class Unstorable(ValueError):
    """Say why a message cannot be stored: a stable code and the values of its sentence (profiles.rejections).

    `path` is filled on the way out, from the part that is at fault upwards.
    """

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self._values = values
        self.path: list[str] = []

    @property
    def params(self) -> dict[str, Any]:
        """Return the values of the sentence; `place` names the part at fault, such as `traits.card`."""
        place = clean_text(".".join(reversed(self.path)))[:200]
        return {**self._values, "place": place} if place else dict(self._values)


def clean(value: Any, depth: int = 0) -> Any:
    """Return the value without NUL and half characters, itself when there were none; raise Unstorable for the rest.

    Never deeper than MAX_EVENT_DEPTH, so the recursion is bounded.
    """
    kind = type(value)
    if kind is str:
        # Half characters pass `isascii` by never being ASCII; most texts are, and asking that costs nothing.
        return value if value.isascii() and "\x00" not in value else clean_text(value)
    if kind is dict:
        return _clean_object(value, depth)
    if kind is list:
        if depth >= _DEEPEST:
            raise Unstorable(MAX_EVENT_DEPTH.code, levels=_DEEPEST)
        cleaned = None
        for index, item in enumerate(value):
            try:
                new = clean(item, depth + 1)
            except Unstorable as error:
                error.path.append(str(index))
                raise
            if new is not item:
                cleaned = list(value) if cleaned is None else cleaned
                cleaned[index] = new
        return value if cleaned is None else cleaned
    if kind is int and not _LEAST <= value <= _MOST:
        raise Unstorable(MAX_INTEGER.code)
    if kind is float and not math.isfinite(value):
        raise Unstorable(MAX_INTEGER.code)
    return value


def _clean_object(value: dict[str, Any], depth: int) -> dict[str, Any]:
    if depth >= _DEEPEST:
        raise Unstorable(MAX_EVENT_DEPTH.code, levels=_DEEPEST)
    cleaned = None
    for key, item in value.items():
        if not key.isascii() or "\x00" in key:
            if "\x00" in key:
                raise Unstorable("invalid_name")
            if clean_text(key) is not key:
                return _clean_object({clean_text(name): each for name, each in value.items()}, depth)
        kind = type(item)
        if kind is str and item.isascii() and "\x00" not in item:
            continue
        try:
            new = clean(item, depth + 1)
        except Unstorable as error:
            error.path.append(key)
            raise
        if new is not item:
            cleaned = dict(value) if cleaned is None else cleaned
            cleaned[key] = new
    return value if cleaned is None else cleaned


def pruned(value: Any, place: str, depth: int = 0) -> tuple[Any, list[tuple[str, str]]]:
    """Return a value without the members of its objects that cannot be stored, and [(place, code), ...] of these.

    A list with such a line goes as a whole: its lines are counted.
    """
    if type(value) is not dict or depth >= _DEEPEST:
        try:
            return clean(value, depth), []
        except Unstorable as error:
            return None, [(place, error.code)]
    kept: dict[str, Any] = {}
    left_out: list[tuple[str, str]] = []
    for key, item in value.items():
        inside = clean_text(f"{place}.{key}")[:200]
        if "\x00" in key:
            left_out.append((inside, "invalid_name"))
            continue
        new, found = pruned(item, inside, depth + 1)
        left_out += found
        if new is not None or item is None:
            kept[clean_text(key)] = new
    return kept, left_out


def clean_text(text: str) -> str:
    """Return text that UTF-8 and PostgreSQL can hold, itself when it is such."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def presentable(value: Any, depth: int = 0) -> Any:
    """Return what `clean` refuses in a form that can be kept for people to look at: numbers as text, depths cut."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list):
        if depth >= _DEEPEST:
            return "…"
        if isinstance(value, list):
            return [presentable(item, depth + 1) for item in value]
        return {clean_text(key): presentable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if _LEAST <= value <= _MOST else str(value)
    return value
