"""What is known of a person: the winning value of every trait, whatever order the values came in.

Under each identifier every source keeps its latest word on a trait, in a slot of its own. Of a person's slots the
highest rank wins: pinned by staff, then said by a trusted source, then said by a public key; among equals the newest.
Both steps are maxima, so merging is commutative, associative and idempotent, and unmerging restores what each had.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

MAX_TRAITS = 300
MAX_VALUE_BYTES = 8192
#: words kept of one trait under one identifier: the highest ranks stay
MAX_SLOTS = 10
ADDRESS_TRAITS = frozenset({"email", "phone"})
#: the key of the history of the address that mail goes to; no source can set a trait of this name
SENDING_ADDRESS = "sending_address"

_NAME = re.compile(r"^[\w .:$-]{1,100}$")
_UNUSABLE = frozenset({"__proto__", "constructor", "prototype", SENDING_ADDRESS})
_PROTECTED = re.compile(
    r"^(consent|consents|permission|permissions|role|roles|is_?admin|is_?staff|unsubscribed|subscribed|suppressed|opt_?in|"
    r"opt_?out|email_?verified|verified|erased|restricted)(?![a-z])",
    re.IGNORECASE,
)

Assertion = dict[str, Any]  # {"v": value (None: there is none), "t": time, "m": tie-break, "c": cause}
#: slot -> assertion. `t3` is trusted source 3, `t2:12` import 12 (of source 2), `p4` public source 4, `pin` staff
Slots = dict[str, Assertion]
Assertions = Mapping[str, Slots]  # trait -> slots

PIN = "pin"


class Belief(NamedTuple):
    """How far a word is believed; the higher wins whatever the times."""

    pinned: bool
    trusted: bool


PUBLIC = Belief(False, False)


def name_is_usable(name: str) -> bool:
    """Tell whether a trait may have this name."""
    return bool(_NAME.match(name)) and name not in _UNUSABLE and bool(name.strip())


@lru_cache(maxsize=4096)
def is_protected(name: str) -> bool:
    """Tell whether only a trusted source may set this trait: it speaks of permission or of power."""
    return bool(_PROTECTED.match(name))


def stamp(moment: datetime) -> str:
    """Return a time in the one form whose order as text is its order in time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def slot_of(source_id: int, *, trusted: bool, import_id: int | None = None) -> str:
    """Return the slot of a source. Each import has one of its own, so that its undo uncovers what stood before."""
    slot = f"{'t' if trusted else 'p'}{source_id}"
    return slot if import_id is None else f"{slot}:{import_id}"


@lru_cache(maxsize=4096)
def source_of(slot: str) -> int | None:
    """Return the source of a slot; None for what staff pinned."""
    return None if slot == PIN else int(slot[1:].partition(":")[0])


def assertion(value: Any, *, at: str, tie: str, cause: str) -> Assertion:
    """Return the record of one value. `at` is a stamp, never later than the receipt."""
    return {"v": value, "t": at, "m": tie, "c": cause}


def assert_traits(values: Mapping[str, Any], *, slot: str, at: str, tie: str, cause: str) -> dict[str, Slots]:
    """Return what one source says at one moment."""
    return {name: {slot: assertion(value, at=at, tie=tie, cause=cause)} for name, value in values.items()}


def belief(slot: str, tied: bool) -> Belief:
    """Return how far a slot is believed.

    `tied`: trusted links tie the identifier to the person. What is said under one that only a public key tied to the
    person counts as that public key's word, whoever said it: else anybody could lend a stranger's device to a person.
    """
    if not tied:
        return PUBLIC
    return Belief(slot == PIN, slot == PIN or slot[0] == "t")


def _age(item: Assertion) -> tuple[str, str, str]:
    return item["t"], item["m"], json.dumps(item["v"], sort_keys=True)


def rank(slot: str, item: Assertion, tied: bool = True) -> tuple[Any, ...]:
    """Return what decides between two words on a trait; total, so that no order of arrival can matter."""
    return (*belief(slot, tied), *_age(item), slot)


def merge_into(known: dict[str, Slots], new: Assertions) -> bool:
    """Fold assertions into those of one identifier, in place; return whether anything changed.

    Above MAX_TRAITS names those of trusted sources stay first, then the first by name; above MAX_SLOTS slots the
    highest ranks. No order of arrival can change either.
    """
    changed = False
    for name, slots in new.items():
        there = known.get(name)
        if there is None:
            there = known[name] = {}
        for slot, item in slots.items():
            old = there.get(slot)
            if old is None or _age(old) < _age(item):
                there[slot] = item
                changed = True
        if len(there) > MAX_SLOTS:
            for slot in sorted(there, key=lambda slot: rank(slot, there[slot]))[:-MAX_SLOTS]:
                del there[slot]
    if len(known) > MAX_TRAITS:
        for name in sorted(known, key=lambda name: (not _is_trusted(known[name]), name))[MAX_TRAITS:]:
            del known[name]
    return changed


def _is_trusted(slots: Slots) -> bool:
    return any(slot[0] == "t" or slot == PIN for slot in slots)


@dataclass(frozen=True, slots=True)
class Word:
    """One source's word on a trait. `unused` says why another stands: "" | older | public | untied | pinned."""

    value: Any
    slot: str
    at: str
    cause: str
    unused: str = ""


def words_on(name: str, of: Iterable[tuple[Assertions, bool]]) -> list[Word]:
    """Return every word on a trait, the one that stands first; `of` is as in `winners`."""
    found = [
        (slot, item, tied)
        for assertions, tied in of
        for slot, item in assertions.get(name, {}).items()
        if not is_protected(name) or belief(slot, tied).trusted
    ]
    found.sort(key=lambda entry: rank(*entry), reverse=True)
    return [
        Word(item["v"], slot, item["t"], item["c"], _why_unused(found[0], (slot, item, tied)) if number else "")
        for number, (slot, item, tied) in enumerate(found)
    ]


def _why_unused(winner: tuple[str, Assertion, bool], other: tuple[str, Assertion, bool]) -> str:
    stands, loses = belief(winner[0], winner[2]), belief(other[0], other[2])
    if stands == loses:
        return "older"
    if stands.pinned:
        return "pinned"
    return "public" if other[0][0] == "p" and other[0] != PIN else "untied"


def winners(of: Iterable[tuple[Assertions, bool]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (traits, origins) of a person.

    `of` holds, for each of the identifiers, (what was said under it, whether trusted links tie it to the person).
    An origin is {"s": source id, "t": time, "c": cause}; {"pin": true, "t", "c"} when staff pinned the value.
    """
    best: dict[str, tuple[str, Assertion, bool]] = {}
    for assertions, tied in of:
        for name, slots in assertions.items():
            protected = is_protected(name)
            for slot, item in slots.items():
                if protected and not belief(slot, tied).trusted:
                    continue
                there = best.get(name)
                if there is None or rank(*there) < rank(slot, item, tied):
                    best[name] = (slot, item, tied)
    names = sorted(best)
    if len(names) > MAX_TRAITS:
        names = sorted(sorted(names, key=lambda name: not belief(best[name][0], best[name][2]).trusted)[:MAX_TRAITS])
    traits = {name: best[name][1]["v"] for name in names if best[name][1]["v"] is not None}
    return traits, {name: _origin(*best[name][:2]) for name in traits}


def _origin(slot: str, item: Assertion) -> dict[str, Any]:
    if slot == PIN:
        return {"pin": True, "t": item["t"], "c": item["c"]}
    return {"s": source_of(slot), "t": item["t"], "c": item["c"]}
