"""Whom a message names: the places where an identifier stands, and nowhere else.

A number among the properties of an order is no user id, whoever has that number as an id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from profiles.identity.graph import kind_of
from profiles.identity.junk import is_junk
from profiles.identity.normalise import normalise
from profiles.identity.phones import region_of
from profiles.identity.trait_names import canonical_name
from profiles.messages.cleaning import Unstorable
from profiles.messages.model import Pair, Rules

#: identifiers that a message may bring along beside its own (`context.externalIds`)
MAX_EXTERNAL_IDS = 20
PHONE = "phone"
ADDRESSES = ("email", PHONE)

_NONE: frozenset[str] = frozenset()


def named_in(item: Any, shared: Mapping[str, Any], rules: Rules) -> frozenset[Pair]:
    """Return every identifier that a decoded message names by its place, whatever else is wrong with the message.

    `shared` is the context of its batch.
    """
    if type(item) is not dict:
        return frozenset(_in_context(shared, rules, region_in({}, shared))) if shared else frozenset()
    found: list[Pair] = []
    for kind, field_name in (("user_id", "userId"), ("anonymous_id", "anonymousId")):
        value = item.get(field_name)
        if value is not None:
            found += _pair(kind, value, rules)
    if item.get("previousId") is not None:  # a device, and perhaps somebody's user id
        found += _pair("user_id", item["previousId"], rules)
        found += _pair("anonymous_id", item["previousId"], rules)
    # The traits of a group are those of a company.
    traits = item.get("traits")
    region = region_in(item, shared)
    if type(traits) is dict and item.get("type") != "group":
        found += _addresses(traits, rules, region)
    for context in (item.get("context"), shared):
        if type(context) is dict and context:
            found += _in_context(context, rules, region)
    return frozenset(found)


def named_beside(
    item: Mapping[str, Any], kind: str, context: Mapping[str, Any], shared: Mapping[str, Any], rules: Rules
) -> Iterator[Pair]:
    """Yield whom a checked message names beside its identifiers. Together they are what `named_in` gives, for less.

    `context` is its own with that of its batch below it.
    """
    if item.get("previousId") is not None:
        yield from _pair("user_id", item["previousId"], rules)
        yield from _pair("anonymous_id", item["previousId"], rules)
    traits = item.get("traits")
    region = region_in(item, shared)
    if type(traits) is dict and kind != "group":
        yield from _addresses(traits, rules, region)
        if kind == "identify" and type(context.get("traits")) is dict:
            yield from _addresses(context["traits"], rules, region)  # those beside it were asked first
    if type(context.get("device")) is dict:
        yield from _pair("anonymous_id", context["device"].get("id"), rules)
    if shared:
        yield from _in_context(shared, rules, region)


def region_in(item: Mapping[str, Any], shared: Mapping[str, Any]) -> str:
    """Return the country of telephone numbers that a message gives without one; empty for that of the installation."""
    context = item.get("context")
    if type(context) is dict:
        shared = {**shared, **context}
    return region_of((item.get("traits"), shared.get("traits")), shared)


def _in_context(context: Mapping[str, Any], rules: Rules, region: str) -> Iterator[Pair]:
    traits, device = context.get("traits"), context.get("device")
    if type(traits) is dict:
        yield from _addresses(traits, rules, region)
    if type(device) is dict:
        yield from _pair("anonymous_id", device.get("id"), rules)
    for kind, value in _external_ids(context, rules):
        yield from _pair(kind, value, rules, region)


def _addresses(traits: Mapping[str, Any], rules: Rules, region: str) -> Iterator[Pair]:
    for name, value in traits.items():
        kind = canonical_name(name)
        if kind in ADDRESSES and value is not None:
            yield from _pair(kind, value, rules, region)


def _pair(kind: str, value: Any, rules: Rules, region: str = "") -> Iterator[Pair]:
    text = usable(kind, value, rules, region)
    if text:
        yield kind, text


def usable(kind: str, value: Any, rules: Rules, region: str = "") -> str:
    """Return the one form of an identifier's value; empty when it is none or stands for nobody."""
    blocked = rules.blocked.get(kind, _NONE)
    ask = _usable_text if type(value) is str else _usable
    return ask(kind, value, blocked, region if kind == PHONE else "")


def _usable(kind: str, value: Any, blocked: frozenset[str], region: str) -> str:
    text = normalise(kind, value, region)
    return "" if not text or is_junk(kind, text, blocked) else text


#: the same visitor comes back many times within a block
_usable_text = lru_cache(maxsize=32768)(_usable)


def identifiers_of(
    item: dict[str, Any],
    kind: str,
    context: Mapping[str, Any],
    claimed: Mapping[str, Any],
    *,
    trusted: bool,
    rules: Rules,
    region: str = "",
) -> tuple[tuple[Pair, ...], list[str]]:
    """Return (identifiers with the anchor first, what was left out as junk); raise Unstorable.

    What a public key says of an address is a claim: everything hangs on the user id or the device, never on it.
    """
    found: list[Pair] = []
    claims: list[Pair] = []
    junk: list[str] = []
    given: list[tuple[str, Any]] = [("user_id", item.get("userId")), ("anonymous_id", item.get("anonymousId"))]
    if kind == "alias":
        given += _previous(item)
    for name, value in given:
        if value is not None:
            _take(name, value, found, junk, rules)
    if claimed:
        for name in ADDRESSES:
            if claimed.get(name) is not None:
                _take(name, claimed[name], found if trusted else claims, junk, rules, region)
    for name, value in _external_ids(context, rules):
        _take(name, value, found if trusted else claims, junk, rules, region)
    if not found:
        if junk:
            raise Unstorable("junk_identifier", values=", ".join(junk)[:300])
        raise Unstorable("no_user_anon_id")
    if len(found) > 1:
        first = found[0]
        found = sorted(dict.fromkeys(found), key=lambda pair: (kind_of(pair[0], rules.kinds).priority, pair))
        if kind == "alias" and found[0] != first:  # the new id leads, whatever the previous one is
            found = [first, *(pair for pair in found if pair != first)]
    return tuple(dict.fromkeys((*found, *claims))), junk


def _external_ids(context: Mapping[str, Any], rules: Rules) -> Iterator[tuple[str, Any]]:
    """Yield the further identifiers that a message brings along, those of kinds that there are."""
    for entry in _entries(context):
        if _is_known(entry, rules):
            yield entry["type"], entry.get("id")


def unknown_external_ids(context: Mapping[str, Any], rules: Rules) -> list[tuple[str, str]]:
    """Return [(field, code), ...] of the identifiers that a message brings along and that name nobody here."""
    return [
        (f"context.externalIds.{str(entry.get('type'))[:60]}", "unknown_kind")
        for entry in _entries(context)
        if not _is_known(entry, rules)
    ]


def _entries(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    others = context.get("externalIds")
    return [entry for entry in others[:MAX_EXTERNAL_IDS] if type(entry) is dict] if type(others) is list else []


def _is_known(entry: Mapping[str, Any], rules: Rules) -> bool:
    """Tell whether an external id is of a kind that there is, of a person, and as it is: not hashed or encrypted."""
    kind = entry.get("type")
    return (
        type(kind) is str
        and kind in rules.kinds
        and entry.get("collection") in (None, "", "users")
        and entry.get("encoding") in (None, "", "none")
    )


def _previous(item: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the previous id of an alias: that of a device, whatever it looks like.

    Whether it is also somebody's user id is not to be read from the message: see profiles.processing.block.
    """
    previous = item.get("previousId")
    text, own = normalise("anonymous_id", previous), normalise("user_id", item.get("userId"))
    if not text or not own:
        raise Unstorable("no_alias_ids")
    return [("anonymous_id", previous)] if text != own else []


def _take(kind: str, value: Any, found: list[Pair], junk: list[str], rules: Rules, region: str = "") -> None:
    text = usable(kind, value, rules, region)
    if text:
        found.append((kind, text))
    elif value != "":
        junk.append(f"{kind}={str(value)[:60]}")
