"""Make what came in storable: PostgreSQL takes no NUL, no half characters, no infinite numbers; we take no abyss."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

MAX_DEPTH = 12
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


class Unstorable(ValueError):
    """Say why a message cannot be stored: a stable code and the values of its sentence (profiles.rejections)."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def decode(body: bytes) -> tuple[Any, bool]:
    """Return (value, exact): `exact` means that a strict reader took the body, so no half characters are in it.

    What the strict reader refuses (a lone surrogate, 1e999) is read leniently, so that only the message that
    carries it is rejected and its neighbours land. Raise Unstorable for what is no JSON at all.
    """
    try:
        return msgspec.json.decode(body), True
    except RecursionError:
        raise Unstorable("too_deep", levels=MAX_DEPTH) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant), False
    except RecursionError:
        raise Unstorable("too_deep", levels=MAX_DEPTH) from None
    except ValueError as error:
        raise Unstorable("invalid_json", error=str(error)[:300]) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def is_clean(value: Any, depth: int = 0) -> bool:
    """Tell whether a value can be stored as it is; raise Unstorable when it cannot be mended either."""
    kind = type(value)
    if kind is str:
        return "\x00" not in value
    if kind is dict:
        if depth >= MAX_DEPTH:
            raise Unstorable("too_deep", levels=MAX_DEPTH)
        clean = True
        for key, item in value.items():
            if "\x00" in key:
                raise Unstorable("invalid_key")
            item_kind = type(item)
            if item_kind is str:
                if "\x00" in item:
                    clean = False
            elif not is_clean(item, depth + 1):
                clean = False
        return clean
    if kind is list:
        if depth >= MAX_DEPTH:
            raise Unstorable("too_deep", levels=MAX_DEPTH)
        # Every item is looked at, even after one that needs mending: a later one may be beyond that.
        results = [is_clean(item, depth + 1) for item in value]
        return all(results)
    if kind is int and not MIN_INTEGER <= value <= MAX_INTEGER:
        raise Unstorable("number_out_of_range")
    if kind is float and not math.isfinite(value):
        raise Unstorable("number_out_of_range")
    return True


def mend(value: Any) -> Any:
    """Return the value without NUL and with lone surrogates replaced by U+FFFD, in names too."""
    if isinstance(value, str):
        return mend_text(value)
    if isinstance(value, dict):
        return {mend_text(key): mend(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mend(item) for item in value]
    return value


def mend_text(text: str) -> str:
    """Return text that UTF-8 and PostgreSQL can hold."""
    text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
