"""Turn what any SDK sends into one checked form, or say in a stable code why not. One bad message harms no other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from profiles.identity.cleaning import Unstorable, decode, is_clean, mend
from profiles.identity.graph import Kind, kind_of
from profiles.identity.junk import is_junk
from profiles.identity.normalise import normalise
from profiles.identity.times import occurred, parse_time
from profiles.identity.traits import is_protected, name_is_usable

KINDS_OF_MESSAGE = frozenset({"track", "page", "screen", "identify", "group", "alias"})
MAX_MESSAGE_ID = 128
MAX_EVENT_NAME = 200
MAX_EVENT_BYTES = 32 * 1024
SKEW_SHOWN = 5.0  # seconds

_NAMES = {
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "identify": "Identified",
    "group": "Group Joined",
    "alias": "Aliased",
}
_NONE: frozenset[str] = frozenset()
_UUID = re.compile(r"^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_encode = msgspec.json.Encoder(order="sorted").encode
#: what changes when an SDK tries again, and so says nothing about the message
_OF_THE_TRY = ("sentAt", "receivedAt", "writeKey", "_metadata")


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose body it is: what the source may be believed, and when the body came."""

    source_id: int
    trusted: bool
    received_at: datetime
    raw_id: int
    endpoint: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The kinds of identifier by name, and the values an administrator blocked."""

    kinds: Mapping[str, Kind]
    blocked: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Message:
    """A message that can be stored. `identifiers[0]` is the one that everything hangs on; the rest is linked to it."""

    position: int
    kind: str
    name: str
    message_id: str
    key: bytes  # 16 bytes: sha256(source id, message id)
    digest: bytes  # 8 bytes of the payload's digest
    occurred_at: datetime
    identifiers: tuple[tuple[str, str], ...]
    weak: tuple[tuple[str, str], ...]  # those of `identifiers` that only a public key claimed
    traits: dict[str, Any] | None
    properties: dict[str, Any]
    context: dict[str, Any]


@dataclass(slots=True)
class Rejection:
    """A message that cannot be stored, and why."""

    position: int
    code: str
    params: Mapping[str, Any]
    message_id: str
    payload: Any


def read_body(body: bytes, origin: Origin, rules: Rules) -> Iterator[Message | Rejection]:
    """Yield every message of a stored body in order, checked or rejected."""
    try:
        value, exact = decode(body)
    except Unstorable as error:
        yield Rejection(0, error.code, error.params, "", body[:2000].decode("utf-8", "replace").replace("\x00", ""))
        return
    if not isinstance(value, dict):
        yield Rejection(0, "not_an_object", {"name": "body"}, "", None)
        return
    if origin.endpoint != "batch":
        value.setdefault("type", origin.endpoint)
        yield _read(value, 0, origin, rules, None, exact)
        return
    batch = value.get("batch")
    if not isinstance(batch, list):
        yield Rejection(0, "no_batch", {}, "", None)
        return
    shared = value if value.get("context") or value.get("sentAt") or value.get("integrations") else None
    for position, item in enumerate(batch):
        yield _read(item, position, origin, rules, shared, exact)


def _read(
    item: Any, position: int, origin: Origin, rules: Rules, envelope: dict[str, Any] | None, exact: bool
) -> Message | Rejection:
    try:
        return read_message(item, position, origin, rules, envelope, exact)
    except Unstorable as error:
        message_id = item.get("messageId") if isinstance(item, dict) else ""
        shown = message_id[:MAX_MESSAGE_ID] if isinstance(message_id, str) else ""
        return Rejection(position, error.code, error.params, _CONTROLS.sub("", mend(shown)), _safe(item, error.code))


def _safe(item: Any, code: str) -> Any:
    """Return a payload that can be shown on the rejected list: text when it cannot be stored as it is."""
    try:
        if code not in ("too_deep", "number_out_of_range", "invalid_key") and is_clean(item):
            return mend(item)
    except Unstorable:
        pass
    return {"text": mend(repr(item)[:2000])}


def read_message(
    item: Any, position: int, origin: Origin, rules: Rules, envelope: dict[str, Any] | None = None, exact: bool = True
) -> Message:
    """Return the checked form of one message; raise Unstorable with a stable code."""
    if type(item) is not dict:
        raise Unstorable("not_an_object", name="message")
    if not is_clean(item) or not exact:
        item = mend(item)
    sent = item.get("sentAt")
    context = _object(item, "context")
    if envelope is not None:
        sent = sent if sent is not None else envelope.get("sentAt")
        common = envelope.get("context")
        if type(common) is dict and common:
            is_clean(common)
            context = {**mend(common), **context}
    for name in _OF_THE_TRY:
        item.pop(name, None)
    payload = _encode(item)
    if len(payload) > MAX_EVENT_BYTES:
        raise Unstorable("too_large", limit=MAX_EVENT_BYTES)
    message_id = _message_id(item.get("messageId"), origin, position)
    kind = item.get("type")
    kind = kind.lower() if type(kind) is str else kind
    if kind not in KINDS_OF_MESSAGE:
        raise Unstorable("unknown_type", type=str(kind)[:100]) if kind else Unstorable("missing_type")
    original = item.get("originalTimestamp")
    original = original if original is not None else item.get("timestamp")
    occurred_at, warning = occurred(original, sent, origin.received_at)
    name, properties = _content(item, kind)
    traits, claimed = _traits(item, kind, context)
    identifiers, weak, junk = _identifiers(item, kind, claimed, origin.trusted, rules)
    notes: dict[str, Any] = {}
    if traits is not None:
        traits, dropped = _usable_traits(traits, origin.trusted)
        if dropped:
            notes["dropped_traits"] = dropped
    if junk:
        notes["junk_identifiers"] = junk
    if warning:
        notes["warning"] = warning
    if original is not None and (warning or _differs(original, occurred_at)):
        notes["original"], notes["sent"] = original, sent
    if notes:
        context = {**context, "collection": notes}
    return Message(
        position,
        kind,
        name,
        message_id,
        hashlib.sha256(f"{origin.source_id}\0{message_id}".encode()).digest()[:16],
        hashlib.sha256(payload).digest()[:8],
        occurred_at,
        identifiers,
        weak,
        traits,
        properties,
        context,
    )


def _differs(original: Any, occurred_at: datetime) -> bool:
    """Tell whether the clock was corrected by more than the way over the network explains."""
    said = parse_time(original)
    return said is None or abs((said - occurred_at).total_seconds()) > SKEW_SHOWN


def _object(item: dict[str, Any], name: str) -> dict[str, Any]:
    value = item.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise Unstorable("not_an_object", name=name)
    return value


def _message_id(value: Any, origin: Origin, position: int) -> str:
    """Return the message's id; one without gets an id of its place, so that a replay of the same body is no news."""
    if type(value) is str:
        text = value.strip()
        if not text.isprintable():
            text = _CONTROLS.sub("", text).strip()
    elif type(value) in (int, float):
        text = str(value)
    elif value is None:
        text = ""
    else:
        raise Unstorable("invalid_message_id")
    if len(text) > MAX_MESSAGE_ID:
        raise Unstorable("message_id_too_long", limit=MAX_MESSAGE_ID)
    return text or f"raw-{origin.raw_id}-{position}"


def _content(item: dict[str, Any], kind: str) -> tuple[str, dict[str, Any]]:
    if kind == "track":
        event = item.get("event")
        name = " ".join(event.split()) if type(event) is str else str(event) if type(event) in (int, float) else ""
        if not name:
            raise Unstorable("no_event_name")
        if len(name) > MAX_EVENT_NAME:
            raise Unstorable("event_name_too_long", limit=MAX_EVENT_NAME)
        return name, _object(item, "properties")
    if kind in ("page", "screen"):
        properties = dict(_object(item, "properties"))
        for field_name in ("name", "category"):
            if item.get(field_name) and field_name not in properties:
                properties[field_name] = item[field_name]
        return _NAMES[kind], properties
    if kind == "group":
        group_id = normalise("group_id", item.get("groupId"))
        if not group_id:
            raise Unstorable("no_group_id")
        return _NAMES[kind], {"group_id": group_id, "traits": _object(item, "traits")}
    if kind == "alias":
        return _NAMES[kind], {"previous_id": normalise("user_id", item.get("previousId"))}
    return _NAMES[kind], {}


def _traits(item: dict[str, Any], kind: str, context: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return (what to write on the person, what claims an address). Only identify writes on a person."""
    in_context = context.get("traits")
    in_context = in_context if type(in_context) is dict else {}
    if kind != "identify":
        return None, in_context
    traits = _object(item, "traits") or in_context
    return traits, {**in_context, **traits}


def _usable_traits(traits: dict[str, Any], trusted: bool) -> tuple[dict[str, Any], list[str]]:
    kept, dropped = {}, []
    for name, value in traits.items():
        if name_is_usable(name) and (trusted or not is_protected(name)):
            kept[name] = value
        else:
            dropped.append(name[:100])
    return kept, dropped[:20]


def _identifiers(
    item: dict[str, Any], kind: str, claimed: dict[str, Any], trusted: bool, rules: Rules
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], list[str]]:
    """Return (identifiers with the anchor first, the weak ones, what was left out as junk).

    What a public key says of an address is a claim: everything hangs on the user id or the device, never on it.
    """
    found: list[tuple[str, str]] = []
    claims: list[tuple[str, str]] = []
    junk: list[str] = []
    given: list[tuple[str, Any]] = [("user_id", item.get("userId")), ("anonymous_id", item.get("anonymousId"))]
    if kind == "alias":
        given.append(_previous(item))
    for name, value in given:
        if value is not None:
            _take(name, value, found, junk, rules)
    if claimed:
        for name in ("email", "phone"):
            if claimed.get(name) is not None:
                _take(name, claimed[name], found if trusted else claims, junk, rules)
    if not found:
        if junk:
            raise Unstorable("junk_identifier", values=", ".join(junk)[:300])
        raise Unstorable("no_user_anon_id")
    if len(found) > 1:
        first = found[0]
        found = sorted(dict.fromkeys(found), key=lambda pair: (kind_of(pair[0], rules.kinds).priority, pair))
        if kind == "alias" and found[0] != first:  # the new id leads, whatever the previous one is
            found = [first, *(pair for pair in found if pair != first)]
    return (*found, *claims), tuple(claims), junk


def _previous(item: dict[str, Any]) -> tuple[str, Any]:
    """Return the previous id of an alias: what looks generated is a device, anything else a user id."""
    previous = item.get("previousId")
    if normalise("user_id", previous) == "" or normalise("user_id", item.get("userId")) == "":
        raise Unstorable("no_alias_ids")
    text = normalise("user_id", previous)
    same_device = text == normalise("anonymous_id", item.get("anonymousId"))
    return ("anonymous_id" if same_device or _UUID.match(text) else "user_id"), previous


def _usable(name: str, value: Any, blocked: frozenset[str]) -> str:
    """Return the one form of an identifier's value; empty when it is none or stands for nobody."""
    text = normalise(name, value)
    return "" if not text or is_junk(name, text, blocked) else text


#: the same visitor comes back many times within a block
_usable_text = lru_cache(maxsize=32768)(_usable)


def _take(name: str, value: Any, found: list[tuple[str, str]], junk: list[str], rules: Rules) -> None:
    blocked = rules.blocked.get(name, _NONE)
    text = _usable_text(name, value, blocked) if type(value) is str else _usable(name, value, blocked)
    if text:
        found.append((name, text))
    elif value != "":
        junk.append(f"{name}={str(value)[:60]}")
