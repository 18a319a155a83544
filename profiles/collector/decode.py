"""From bytes on the wire to checked JSON: inflate under a cap, decode, look at the shape."""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

import msgspec

from profiles.collector.errors import Refusal
from profiles.collector.limits import MAX_BODY, MAX_DEPTH, MAX_EVENTS

_BRACKETS = b"[]{}"
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_BOM = b"\xef\xbb\xbf"
_fast_decode = msgspec.json.Decoder().decode


def inflate(data: bytes, encoding: str) -> bytes:
    """Return the body without its Content-Encoding; stop at the cap, whatever ratio the sender claims."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return data
    if name not in ("gzip", "x-gzip", "deflate"):
        raise Refusal(
            400,
            "unsupported_encoding",
            f"Content-Encoding {name[:40]!r} is not supported; use gzip or none.",
        )
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, told by the header
    try:
        body = inflater.decompress(data, MAX_BODY.value + 1)
    except zlib.error as error:
        raise Refusal(400, "invalid_encoding", f"The body is not valid {name}: {error}.") from None
    if len(body) > MAX_BODY.value:
        raise too_large()
    if not inflater.eof:
        raise Refusal(400, "invalid_encoding", f"The {name} body breaks off before its end.")
    return body


def too_large() -> Refusal:
    """Return the refusal of a body over the limit; 400, because SDKs never retry it (a proxy's 413 some do)."""
    return Refusal(
        400,
        MAX_BODY.code,
        f"The body is over {MAX_BODY.value:,} bytes; send smaller batches.",
    )


def decode_json(body: bytes) -> Any:
    """Return the decoded body, as the door and the processor both read it.

    Strict where a sender must mend his code (NaN, broken syntax, not UTF-8); lenient where one event only is at fault,
    so that its neighbours land: numbers out of range come back as infinity and half characters as they are.
    """
    try:
        return _fast_decode(body)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError as error:
        raise Refusal(400, "invalid_utf8", f"The body must be UTF-8; byte {error.start} is not.") from None
    except msgspec.MsgspecError:
        return _decode_leniently(body)


def _decode_leniently(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            parse_int=_to_int,
            parse_float=float,
        )
    except UnicodeDecodeError as error:
        raise Refusal(400, "invalid_utf8", f"The body must be UTF-8; byte {error.start} is not.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refusal(400, "invalid_json", f"The body is not valid JSON: {error.msg} at {place}.") from None
    except ValueError as error:
        raise Refusal(400, "invalid_json", f"The body is not valid JSON: {error}.") from None
    except RecursionError:
        raise _too_deep() from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _to_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= 400 else math.inf


def _too_deep() -> Refusal:
    return Refusal(
        400,
        MAX_DEPTH.code,
        f"The JSON is nested more than {MAX_DEPTH.value} levels deep.",
    )


def within_depth(body: bytes, cap: int) -> bool:
    """Tell whether the brackets nest at most `cap` deep, without walking the decoded value.

    Brackets are peeled off pair by pair. Those inside strings can mislead in both directions, so that a body that does
    not peel off is only suspected: `shape` then walks the value.
    """
    brackets = body.translate(None, _ALL_BUT_BRACKETS)
    for _ in range(cap):
        if not brackets:
            return True
        # Marked first and taken out together, so that each turn peels one level and no more.
        brackets = brackets.replace(b"[]", b".").replace(b"{}", b".").replace(b".", b"")
    return not brackets


def depth_of(value: Any, cap: int) -> int:
    """Return how many levels of objects and lists there are, counting no further than `cap` + 1."""
    depth, level = 0, [value]
    while level:
        children: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                children.append(item.values())
            elif isinstance(item, list):
                children.append(item)
        if not children:
            return depth
        depth += 1
        if depth > cap:
            return depth
        level = [item for group in children for item in group]
    return depth


def decode_request(body: bytes, *, batch: bool) -> dict[str, Any]:
    """Return the checked object of a request; raise Refusal naming what to mend.

    Nothing about a single event is judged here: a batch is refused only for what makes it unreadable as a whole.
    """
    if not body.strip():
        raise Refusal(400, "empty_body", "The body is empty; send a JSON object.")
    value = decode_json(body)
    if not isinstance(value, dict):
        raise Refusal(400, "invalid_shape", "The body must be a JSON object.")
    if not within_depth(body, MAX_DEPTH.value) and depth_of(value, MAX_DEPTH.value) > MAX_DEPTH.value:
        raise _too_deep()
    if batch:
        events = value.get("batch")
        if not isinstance(events, list):
            raise Refusal(400, "invalid_shape", "A batch needs a list of events under 'batch'.")
        if len(events) > MAX_EVENTS.value:
            raise Refusal(
                400,
                MAX_EVENTS.code,
                f"The batch has {len(events):,} events; at most {MAX_EVENTS.value:,} are taken.",
            )
    return value


def without_bom(body: bytes) -> bytes:
    """Return the body without a byte order mark, which JSON does not have."""
    return body[3:] if body.startswith(_BOM) else body
