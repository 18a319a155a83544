"""Observe the shape of values: which traits and properties there are, of which types, with which frequent values.

Pure and cheap: a dictionary look-up for every value of an event. A path names where a value stands: `city`,
`home.city`, and `products[].category` for the same member of every line of a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from profiles.catalogue.types import DATE, LIST, OTHER, type_of

TRAIT, EVENT, PROPERTY = "trait", "event", "property"
#: objects within objects, and lines of a list, that are looked into
MAX_DEPTH = 4
MAX_LINES = 20
MAX_PATH = 200
#: paths of one value; a hostile object has thousands
MAX_PATHS = 200
#: different values of one path that are counted between two writes
MAX_VALUES = 100
MAX_VALUE = 60


class Key(NamedTuple):
    """What an entry is about: a trait (`event` empty), an event (`path` empty), or a property of an event."""

    scope: str
    event: str
    path: str


@dataclass(slots=True)
class Observed:
    """What was observed of one key since the last write."""

    first: datetime
    last: datetime
    count: int = 0
    types: Counter[str] = field(default_factory=Counter)
    values: Counter[str] | None = None  # None: values of this path are not kept
    sources: set[int] = field(default_factory=set)


class Tally:
    """Observations of a block, to be added to the catalogue."""

    __slots__ = ("_keeps", "entries", "people")

    def __init__(self, keeps_values: Callable[[str], bool]) -> None:
        #: asked once for each path: may its values be kept (they are not about who somebody is)?
        self._keeps = keeps_values
        self.entries: dict[Key, Observed] = {}
        #: trait -> people who got it, less those who lost it
        self.people: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self.entries or self.people)

    def event(self, name: str, properties: Mapping[str, Any], *, at: datetime, source_id: int | None) -> None:
        """Observe one event with its properties."""
        if not name or len(name) > MAX_PATH:
            return
        self._entry(Key(EVENT, name, ""), at, source_id)
        self._members(PROPERTY, name, properties, at, source_id)

    def trait(self, name: str, old: Any, new: Any, *, at: datetime, source_id: int | None) -> None:
        """Observe that one person's trait became `new`; None stands for none."""
        if len(name) > MAX_PATH:
            return
        if (old is None) != (new is None):
            self.people[name] += 1 if old is None else -1
        if new is not None:
            self._members(TRAIT, "", {name: new}, at, source_id)

    def add(self, other: Tally) -> None:
        """Add what another tally observed."""
        for key, seen in other.entries.items():
            known = self.entries.get(key)
            if known is None:
                self.entries[key] = seen
                continue
            known.first, known.last = min(known.first, seen.first), max(known.last, seen.last)
            known.count += seen.count
            known.types.update(seen.types)
            known.sources |= seen.sources
            if known.values is not None and seen.values is not None:
                known.values.update(seen.values)
        for name, change in other.people.items():  # Counter.update would do, but reads as counting
            self.people[name] += change

    def _members(self, scope: str, event: str, values: Mapping[str, Any], at: datetime, source_id: int | None) -> None:
        """Walk an object without recursion: what is hostile is deep."""
        left = MAX_PATHS
        waiting: list[tuple[str, Any, int]] = [(name, value, 1) for name, value in values.items()]
        while waiting and left:
            path, value, depth = waiting.pop()
            if value is None or not path or len(path) > MAX_PATH:
                continue
            left -= 1
            kind = type_of(value)
            entry = self._entry(Key(scope, event, path), at, source_id)
            entry.types[kind] += 1
            if kind == LIST:
                if depth < MAX_DEPTH:
                    waiting += _lines(path, value, depth)
            elif kind == OTHER:
                if depth < MAX_DEPTH:
                    waiting += [(f"{path}.{name}", item, depth + 1) for name, item in value.items()]
            elif entry.values is not None and kind != DATE:
                _count_value(entry.values, value)

    def _entry(self, key: Key, at: datetime, source_id: int | None) -> Observed:
        entry = self.entries.get(key)
        if entry is None:
            entry = self.entries[key] = Observed(at, at)
            if key.path and self._keeps(key.path):
                entry.values = Counter()
        elif at > entry.last:
            entry.last = at
        elif at < entry.first:
            entry.first = at
        entry.count += 1
        if source_id is not None:
            entry.sources.add(source_id)
        return entry


def _lines(path: str, value: Any, depth: int) -> list[tuple[str, Any, int]]:
    """Return what stands in the lines of a list: members of objects, or the items themselves."""
    found: list[tuple[str, Any, int]] = []
    for item in value[:MAX_LINES]:
        if isinstance(item, Mapping):
            found += [(f"{path}[].{name}", member, depth + 1) for name, member in item.items()]
        elif not isinstance(item, (list, tuple)):
            found.append((f"{path}[]", item, depth + 1))
    return found


def _count_value(values: Counter[str], value: Any) -> None:
    text = value if isinstance(value, str) else ("yes" if value is True else "no" if value is False else str(value))
    if len(text) <= MAX_VALUE and (text in values or len(values) < MAX_VALUES):
        values[text] += 1
