"""From the bytes of a body to its items, each decoded by itself, so that a broken one costs no neighbour.

A body is cut into items without decoding them: that is a quarter of the work, needs no recursion of ours, and gives the
bytes of each item as its sender wrote them. Every step is linear in the size of the body.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from profiles.messages.cleaning import Unstorable, clean
from profiles.messages.limits import MAX_DEPTH, MAX_EVENT, MAX_EVENTS
from profiles.messages.structure import SLICE, structure_of


class Unreadable(ValueError):
    """Refuse a whole body: a stable code, a sentence for its sender, and the values for a sentence of ours."""

    def __init__(self, code: str, message: str, **params: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.params = params


@dataclass(slots=True)  # not frozen: that doubles the time of a body with one event
class Body:
    """A body cut into items. What stands beside the batch counts for every item in it."""

    data: bytes  # as it was cut: without a byte order mark and half characters
    items: Sequence[bytes]
    context: dict[str, Any] = field(default_factory=dict)
    sent_at: Any = None
    write_key: str = ""


class _Head(msgspec.Struct):
    write_key: msgspec.Raw = msgspec.field(name="writeKey", default=msgspec.Raw())


class _Envelope(_Head):
    batch: list[msgspec.Raw] | None = None
    context: msgspec.Raw = msgspec.Raw()
    sent_at: msgspec.Raw = msgspec.field(name="sentAt", default=msgspec.Raw())


_decode = msgspec.json.Decoder().decode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode

_BOM = b"\xef\xbb\xbf"
_PLACE = re.compile(r"^(?:JSON is malformed: )?(.*) \(byte (\d+)\)$")
#: commas in a body beyond which it is measured before it is cut; as many at the level of its items are far too many
MANY_COMMAS = 10 * MAX_EVENTS.value
#: half a character (A2): decoders refuse it even where it is skipped
_HALF_CHARACTER = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F][0-9a-fA-F]\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)


def split(body: bytes, *, batch: bool) -> Body:
    """Return the items of a body, not yet decoded; raise Unreadable for what is no JSON object or no batch."""
    body = without_bom(body)
    if not body or body.isspace():
        raise Unreadable("empty_body", "The body is empty; send a JSON object.")
    _require_utf8(body)
    measured = body.count(b",") > MANY_COMMAS
    if measured:
        _require_shape(body)
    try:
        parts = _cut(body, batch)
    except msgspec.DecodeError:
        body = _with_whole_characters(body)
        try:
            parts = _cut(body, batch)
        except msgspec.DecodeError as error:
            raise _invalid_json(body, str(error)) from None
    if not measured:
        _require_depth(body, parts.items if batch else ())
    return parts


def _cut(body: bytes, batch: bool) -> Body:
    try:
        if not batch:
            return Body(body, [body], write_key=_key(_decode_head(body)))
        envelope = _decode_envelope(body)
    except msgspec.ValidationError:
        raise Unreadable(
            "invalid_shape",
            "The body must be a JSON object." if not batch else "A batch is an object with a list of events, 'batch'.",
        ) from None
    except RecursionError:
        raise _too_deep() from None
    if envelope.batch is None:
        raise Unreadable("invalid_shape", "A batch needs a list of events under 'batch'.")
    if len(envelope.batch) > MAX_EVENTS.value:
        raise _too_many(f"{len(envelope.batch):,}")
    items = [bytes(item) for item in envelope.batch]
    if len(bytes(envelope.context)) > MAX_EVENT.value:
        raise Unreadable(
            "context_too_large", f"The context of a batch may have {MAX_EVENT.value:,} bytes.", limit=MAX_EVENT.value
        )
    context, sent_at = _lenient(envelope.context), _lenient(envelope.sent_at)
    return Body(body, items, context if type(context) is dict else {}, sent_at, _key(envelope) or _first_key(items))


def _key(head: _Head) -> str:
    value = _lenient(head.write_key)
    return value.strip() if isinstance(value, str) else ""


def _first_key(items: Sequence[bytes]) -> str:
    try:
        return _key(_decode_head(items[0])) if items else ""
    except (msgspec.MsgspecError, RecursionError):
        return ""


def _lenient(part: msgspec.Raw) -> Any:
    """Return what stands beside the batch, cleaned; None for what cannot be: it is the fault of no item."""
    data = bytes(part)
    try:
        return clean(decode_item(data)) if 0 < len(data) <= MAX_EVENT.value else None
    except Unstorable:
        return None


def decode_item(data: bytes) -> Any:
    """Return one decoded item; raise Unstorable.

    Numbers beyond what JSON decoders hold come back as infinity, for `clean` to name their place.
    """
    try:
        return _decode(data)
    except RecursionError:
        raise Unstorable(MAX_DEPTH.code, levels=MAX_DEPTH.value) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    try:
        return json.loads(data, parse_constant=_refuse_constant, parse_int=_to_int)
    except RecursionError:
        raise Unstorable(MAX_DEPTH.code, levels=MAX_DEPTH.value) from None
    except ValueError as error:
        raise Unstorable("invalid_json", error=str(error)[:200]) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _to_int(digits: str) -> int | float:
    # Python refuses to read thousands of digits, and takes a time that grows with their square where it does not.
    return int(digits) if len(digits) <= 40 else math.inf


def without_bom(body: bytes) -> bytes:
    """Return the body without a byte order mark, which JSON does not have."""
    return body[3:] if body.startswith(_BOM) else body


def _require_utf8(body: bytes) -> None:
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("invalid_utf8", f"The body must be UTF-8; byte {error.start} is not.") from None


def _with_whole_characters(body: bytes) -> bytes:
    """Return JSON with U+FFFD in the place of each half character."""
    if b"\x00" in body or rb"\u" not in body:  # NUL: no JSON at all, and the sign that is used below
        return body
    # Once escaped backslashes are out of the way, every other backslash begins an escape.
    text = body.replace(rb"\\", b"\x00\x00")
    whole, done = bytearray(), 0
    for end in range(SLICE, len(text) + SLICE, SLICE):
        # A half is found with what stands before it and behind it: twelve characters.
        for half in _HALF_CHARACTER.finditer(text, done, end + 12):
            if half.start() >= end:
                break
            whole += text[done : half.start()] + rb"\ufffd"
            done = half.end()
        if done < end:
            whole += text[done:end]
            done = end
    return bytes(whole).replace(b"\x00\x00", rb"\\")


def _invalid_json(body: bytes, reason: str) -> Unreadable:
    found = _PLACE.match(reason)
    what, offset = (found[1], int(found[2])) if found else ("the body breaks off", len(body))
    line, column = body.count(b"\n", 0, offset) + 1, offset - body.rfind(b"\n", 0, offset)
    reason = f"{what} at line {line}, column {column}"
    return Unreadable("invalid_json", f"The body is not valid JSON: {reason}.", error=reason)


# Shape ----------------------------------------------------------------------------------------------------------------


def _require_shape(body: bytes) -> None:
    """Refuse what would be costly to cut up: it nests too deeply, or has far too many things side by side."""
    found = structure_of(body, max_levels=MAX_DEPTH.value, max_commas=MANY_COMMAS)
    if found.levels > MAX_DEPTH.value:
        raise _too_deep()
    if found.commas > MANY_COMMAS:
        raise _too_many(f"more than {MANY_COMMAS:,}")


def _require_depth(body: bytes, items: Sequence[bytes]) -> None:
    """Refuse a body that nests too deeply. Hardly any has as many brackets in one item as would be levels too many."""
    counts = [_openings(item) for item in items]
    beside = _openings(body) - sum(counts)
    if beside > MAX_DEPTH.value - 2 or max(counts, default=0) > MAX_DEPTH.value - 2:
        _require_shape(body)


def _openings(data: bytes) -> int:
    return data.count(b"[") + data.count(b"{")


def _too_many(count: str) -> Unreadable:
    return Unreadable(
        MAX_EVENTS.code,
        f"The batch has {count} events; at most {MAX_EVENTS.value:,} are taken.",
        limit=MAX_EVENTS.value,
    )


def _too_deep() -> Unreadable:
    return Unreadable(
        MAX_DEPTH.code, f"The JSON is nested more than {MAX_DEPTH.value} levels deep.", levels=MAX_DEPTH.value
    )
