"""Turn what any SDK sends into one checked form, or say in a stable code why not.

Reading never raises: whatever is wrong with a message is that message's rejection, and its neighbours land.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from profiles.identity.normalise import normalise
from profiles.identity.times import occurred, original_time, parse_time
from profiles.identity.trait_names import canonical_traits
from profiles.identity.traits import MAX_VALUE_BYTES, is_protected, name_is_usable
from profiles.messages.cleaning import Unstorable, clean, clean_text, presentable, pruned
from profiles.messages.decoding import Unreadable, decode_item, split
from profiles.messages.limits import MAX_EVENT, MAX_MESSAGE_ID, MAX_NAME
from profiles.messages.model import Erased, Message, Origin, Rejection, Rules
from profiles.messages.naming import (
    PHONE,
    identifiers_of,
    named_beside,
    named_in,
    region_in,
    unknown_external_ids,
    usable,
)

logger = logging.getLogger(__name__)

KINDS_OF_MESSAGE = frozenset({"track", "page", "screen", "identify", "group", "alias"})
#: what an erasure leaves in the place of a message, so that the others keep theirs
ERASED_ITEM = b'{"erased":true}'
SKEW_SHOWN = 5.0  # seconds
MAX_NOTES = 20
SHOWN_BYTES = 2000  # of what cannot be kept as it is

#: [(field, code of profiles.rejections.LEFT_OUT), ...]
LeftOut = list[tuple[str, str]]

_NAMES = {
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "identify": "Identified",
    "group": "Group Joined",
    "alias": "Aliased",
}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_encode = msgspec.json.Encoder(order="sorted").encode
#: what changes when an SDK tries again, and so says nothing about the message
_OF_THE_TRY = ("sentAt", "receivedAt", "writeKey", "_metadata")


def read_body(body: bytes, origin: Origin, rules: Rules) -> Iterator[Message | Rejection | Erased]:
    """Yield every message of a stored body in order: checked, rejected, or the place of an erased one."""
    try:
        parts = split(body, batch=origin.endpoint == "batch")
    except Unreadable as error:
        yield Rejection(0, error.code, error.params, "", _as_text(body), readable=False)
        return
    for position, data in enumerate(parts.items):
        if data == ERASED_ITEM:
            yield Erased(position)
        else:
            yield _read(data, position, origin, rules, parts.context, parts.sent_at)


def _read(
    data: bytes, position: int, origin: Origin, rules: Rules, shared: dict[str, Any], sent_at: Any
) -> Message | Rejection:
    item: Any = None
    try:
        item = decode_item(data)
        if type(item) is dict and origin.endpoint != "batch":
            item.setdefault("type", origin.endpoint)
        return read_message(item, position, origin, rules, shared, sent_at)
    except Unstorable as error:
        return _rejection(item, data, position, rules, shared, error.code, error.params)
    except Exception as error:
        # Whatever this is, it is the fault of this one message, and the queue goes on.
        logger.exception("message %s of body %s could not be read", position, origin.raw_id)
        return _rejection(item, data, position, rules, shared, "unreadable", {"error": type(error).__name__})


def _rejection(
    item: Any,
    data: bytes,
    position: int,
    rules: Rules,
    shared: dict[str, Any],
    code: str,
    params: Mapping[str, Any],
) -> Rejection:
    message_id = item.get("messageId") if isinstance(item, dict) else ""
    shown = _CONTROLS.sub("", clean_text(message_id[: MAX_MESSAGE_ID.value])) if isinstance(message_id, str) else ""
    payload = presentable(item) if item is not None and len(data) <= 2 * MAX_EVENT.value else _as_text(data)
    return Rejection(position, code, params, shown, payload, named_in(item, shared, rules))


def _as_text(data: bytes) -> dict[str, str]:
    return {"text": clean_text(data[:SHOWN_BYTES].decode("utf-8", "replace"))}


def read_message(
    item: Any,
    position: int,
    origin: Origin,
    rules: Rules,
    shared: Mapping[str, Any] | None = None,
    sent_at: Any = None,
) -> Message:
    """Return the checked form of one decoded message; raise Unstorable with a stable code.

    `shared` and `sent_at` are what its batch says for all, cleaned.
    """
    if type(item) is not dict:
        raise Unstorable("not_an_object", name="message")
    item, left_out = _storable(item)
    shared = shared or {}
    sent = item.get("sentAt")
    sent = sent if sent is not None else sent_at
    context = _object(item, "context")
    if shared:
        context = {**shared, **context}
    for name in _OF_THE_TRY:
        item.pop(name, None)
    payload = _encode(item)
    if len(payload) > MAX_VALUE_BYTES and _lower(item.get("type")) == "identify":
        long = _without_long_traits(item)
        if long:
            left_out += long
            payload = _encode(item)
            context = {**shared, **_object(item, "context")}
    if len(payload) > MAX_EVENT.value:
        raise Unstorable(MAX_EVENT.code, limit=MAX_EVENT.value)
    message_id = _message_id(item.get("messageId"), origin, position)
    kind = _kind(item.get("type"))
    original, by_device = original_time(item.get("originalTimestamp"), item.get("timestamp"))
    occurred_at, warning = occurred(original, sent if by_device else None, origin.received_at)
    name, properties = _content(item, kind)
    traits, claimed = _traits(item, kind, context)
    region = region_in(item, shared)
    identifiers, junk = identifiers_of(item, kind, context, claimed, trusted=origin.trusted, rules=rules, region=region)
    notes: dict[str, Any] = {}
    if traits is not None:
        traits, unusable = _usable_traits(traits, origin.trusted)
        left_out += unusable
        number = usable(PHONE, traits.get(PHONE), rules, region)
        if number:
            traits[PHONE] = number
    left_out += [(each.partition("=")[0], "no_identifier") for each in junk]
    left_out += unknown_external_ids(context, rules)
    if left_out:
        notes["left_out"] = [list(each) for each in left_out[:MAX_NOTES]]
    if junk:
        notes["junk_identifiers"] = junk
    if warning:
        notes["warning"] = warning
    if original is not None and (warning or _differs(original, occurred_at)):
        notes["original"], notes["sent"] = _time_note(original), _time_note(sent)
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
        frozenset((*identifiers, *named_beside(item, kind, context, shared, rules))),
        traits,
        properties,
        context,
        tuple(left_out[:MAX_NOTES]),
    )


def _storable(item: dict[str, Any]) -> tuple[dict[str, Any], LeftOut]:
    """Return a message that can be stored, and what was left out of it; raise Unstorable.

    Traits and context are facts that stand by themselves: a number too large costs the one value, not the mail address
    beside it. An event without one of its properties, or without who did it, would say something else.
    """
    try:
        return clean(item), []
    except Unstorable as error:
        loose = ("traits", "context") if _lower(item.get("type")) == "identify" else ("context",)
        if not error.path or error.path[-1] not in loose:
            raise
    left_out: LeftOut = []
    for name in loose:
        if name in item:
            item[name], found = pruned(item[name], name, 1)
            left_out += found
    return clean(item), left_out


def _without_long_traits(item: dict[str, Any]) -> LeftOut:
    """Take out the traits that are longer than a trait may be, in place."""
    left_out: LeftOut = []
    context = item.get("context")
    for place, holder in (("traits", item), ("context.traits", context)):
        traits = holder.get("traits") if type(holder) is dict else None
        if type(holder) is dict and type(traits) is dict:
            long = [name for name, value in traits.items() if len(_encode(value)) > MAX_VALUE_BYTES]
            left_out += [(f"{place}.{name}"[:200], "value_too_long") for name in long]
            if long:
                holder["traits"] = {name: value for name, value in traits.items() if name not in long}
    return left_out


def _kind(value: Any) -> str:
    kind = _lower(value)
    if kind in KINDS_OF_MESSAGE:
        return kind
    if value in (None, ""):
        raise Unstorable("missing_type")
    raise Unstorable("unknown_type", type=kind[:100] or type(value).__name__)


def _lower(value: Any) -> str:
    return value.lower() if type(value) is str else ""


def _time_note(value: Any) -> Any:
    """Return a time as its sender wrote it, short enough to keep."""
    return value[:64] if type(value) is str else value if type(value) in (int, float) else None


def _differs(original: Any, occurred_at: datetime) -> bool:
    """Tell whether the clock was corrected by more than the way over the network explains."""
    moment = parse_time(original)
    return moment is None or abs((moment - occurred_at).total_seconds()) > SKEW_SHOWN


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
    if len(text) > MAX_MESSAGE_ID.value:
        raise Unstorable(MAX_MESSAGE_ID.code, limit=MAX_MESSAGE_ID.value)
    return text or f"raw-{origin.raw_id}-{position}"


def _content(item: dict[str, Any], kind: str) -> tuple[str, dict[str, Any]]:
    if kind == "track":
        event = item.get("event")
        name = " ".join(event.split()) if type(event) is str else str(event) if type(event) in (int, float) else ""
        if not name:
            raise Unstorable("no_event_name")
        if len(name) > MAX_NAME.value:
            raise Unstorable(MAX_NAME.code, limit=MAX_NAME.value)
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
    """Return (what to write on the person, what claims an address), by their one names.

    Only identify writes on a person.
    """
    in_context = context.get("traits")
    in_context = canonical_traits(in_context) if type(in_context) is dict else {}
    if kind != "identify":
        return None, in_context
    traits = canonical_traits(_object(item, "traits")) or in_context
    return traits, {**in_context, **traits}


def _usable_traits(traits: dict[str, Any], trusted: bool) -> tuple[dict[str, Any], LeftOut]:
    kept: dict[str, Any] = {}
    left_out: LeftOut = []
    for name, value in traits.items():
        if not name_is_usable(name):
            left_out.append((f"traits.{name}"[:200], "invalid_name"))
        elif not trusted and is_protected(name):
            left_out.append((f"traits.{name}"[:200], "protected"))
        else:
            kept[name] = value
    return kept, left_out
