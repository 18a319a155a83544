"""Whom a message names: the places where an identifier stands, and nowhere else.

A number among the properties of an order is no user id, whoever has that number as an id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from profiles.identity.graph import kind_of
from profiles.identity.junk import is_junk
from profiles.identity.normalise import normalise
from profiles.messages.cleaning import Unstorable
from profiles.messages.model import Pair, Rules

#: identifiers that a message may bring along beside its own (`context.externalIds`)
MAX_EXTERNAL_IDS = 20
ADDRESSES = ("email", "phone")

_NONE: frozenset[str] = frozenset()
_UUID = re.compile(r"^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$", re.IGNORECASE)


def named_in(item: Any, shared: Mapping[str, Any], rules: Rules) -> frozenset[Pair]:
    """Return every identifier that a decoded message names by its place, whatever else is wrong with the message.

    `shared` is the context of its batch.
    """
    if type(item) is not dict:
        return frozenset(_in_context(shared, rules)) if shared else frozenset()
    found: list[Pair] = []
    for kind, field_name in (("user_id", "userId"), ("anonymous_id", "anonymousId")):
        value = item.get(field_name)
        if value is not None:
            found += _pair(kind, value, rules)
    if item.get("previousId") is not None:  # which of the two it is shows only beside the other ids
        found += _pair("user_id", item["previousId"], rules)
        found += _pair("anonymous_id", item["previousId"], rules)
    # The traits of a group are those of a company.
    traits = item.get("traits")
    if type(traits) is dict and item.get("type") != "group":
        found += _addresses(traits, rules)
    for context in (item.get("context"), shared):
        if type(context) is dict and context:
            found += _in_context(context, rules)
    return frozenset(found)


def _in_context(context: Mapping[str, Any], rules: Rules) -> Iterator[Pair]:
    traits, device, others = context.get("traits"), context.get("device"), context.get("externalIds")
    if type(traits) is dict:
        yield from _addresses(traits, rules)
    if type(device) is dict:
        yield from _pair("anonymous_id", device.get("id"), rules)
    if type(others) is list:
        for entry in others[:MAX_EXTERNAL_IDS]:
            if type(entry) is dict and type(entry.get("type")) is str and entry["type"] in rules.kinds:
                yield from _pair(entry["type"], entry.get("id"), rules)


def _addresses(traits: Mapping[str, Any], rules: Rules) -> Iterator[Pair]:
    for kind in ADDRESSES:
        value = traits.get(kind)
        if value is not None:
            yield from _pair(kind, value, rules)


def _pair(kind: str, value: Any, rules: Rules) -> Iterator[Pair]:
    text = usable(kind, value, rules)
    if text:
        yield kind, text


def usable(kind: str, value: Any, rules: Rules) -> str:
    """Return the one form of an identifier's value; empty when it is none or stands for nobody."""
    blocked = rules.blocked.get(kind, _NONE)
    return _usable_text(kind, value, blocked) if type(value) is str else _usable(kind, value, blocked)


def _usable(kind: str, value: Any, blocked: frozenset[str]) -> str:
    text = normalise(kind, value)
    return "" if not text or is_junk(kind, text, blocked) else text


#: the same visitor comes back many times within a block
_usable_text = lru_cache(maxsize=32768)(_usable)


def identifiers_of(
    item: dict[str, Any], kind: str, claimed: Mapping[str, Any], *, trusted: bool, rules: Rules
) -> tuple[tuple[Pair, ...], tuple[Pair, ...], list[str]]:
    """Return (identifiers with the anchor first, the weak ones, what was left out as junk); raise Unstorable.

    What a public key says of an address is a claim: everything hangs on the user id or the device, never on it.
    """
    found: list[Pair] = []
    claims: list[Pair] = []
    junk: list[str] = []
    given: list[tuple[str, Any]] = [("user_id", item.get("userId")), ("anonymous_id", item.get("anonymousId"))]
    if kind == "alias":
        given.append(_previous(item))
    for name, value in given:
        if value is not None:
            _take(name, value, found, junk, rules)
    if claimed:
        for name in ADDRESSES:
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
    text = normalise("user_id", previous)
    if not text or not normalise("user_id", item.get("userId")):
        raise Unstorable("no_alias_ids")
    same_device = text == normalise("anonymous_id", item.get("anonymousId"))
    return ("anonymous_id" if same_device or _UUID.match(text) else "user_id"), previous


def _take(kind: str, value: Any, found: list[Pair], junk: list[str], rules: Rules) -> None:
    text = usable(kind, value, rules)
    if text:
        found.append((kind, text))
    elif value != "":
        junk.append(f"{kind}={str(value)[:60]}")
