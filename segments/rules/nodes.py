"""The parts of a rule as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | tuple[Scalar, ...] | None


@dataclass(frozen=True, slots=True)
class Moment:
    """The time a rule is asked at, and the zone whose days count."""

    now: datetime
    zone: tzinfo

    @property
    def today(self) -> date:
        """Return the day it is in the zone."""
        return self.now.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """Return the first moment of a day in the zone."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone)

    def ago(self, days: int) -> datetime:
        """Return the moment `days` times 24 hours back."""
        return self.now - timedelta(days=days)


@dataclass(frozen=True, slots=True)
class All:
    """Every child holds."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one child holds."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The child does not hold."""

    child: Node


@dataclass(frozen=True, slots=True)
class Everyone:
    """Holds for everybody; the only node that does, so that nobody mails the whole base by mistake."""


@dataclass(frozen=True, slots=True)
class Trait:
    """A comparison of one trait; also of one property of an event, in `Event.where`."""

    key: str
    operator: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Window:
    """When: `ever`, `last` (days) or `between` (two days, both included)."""

    kind: str = "ever"
    days: int = 0
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """How often a person did something; `count` is at_least, at_most, exactly or never."""

    name: str
    count: str = "at_least"
    times: int = 1
    window: Window = Window()
    where: tuple[Trait, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """When a person was seen `first` or `last`: `within` the last days, or `before` that."""

    which: str
    operator: str
    days: int


@dataclass(frozen=True, slots=True)
class Member:
    """The person meets another segment's rule."""

    segment: int


@dataclass(frozen=True, slots=True)
class Consent:
    """The current answer for a purpose and channel; `none` means that nothing was said."""

    purpose: str
    channel: str
    state: str


@dataclass(frozen=True, slots=True)
class HasIdentifier:
    """The person has an identifier of a kind."""

    kind: str


Node: TypeAlias = All | AnyOf | Not | Everyone | Trait | Event | Seen | Member | Consent | HasIdentifier


@dataclass(frozen=True, slots=True)
class Rule:
    """Whom to take in, and whom to leave out of those; leaving out always wins."""

    include: Node
    exclude: Node | None = None

    def parts(self) -> Iterator[tuple[str, Node]]:
        """Yield the one or two trees with their paths."""
        yield "include", self.include
        if self.exclude is not None:
            yield "exclude", self.exclude


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below."""
    if isinstance(node, (All, AnyOf)):
        return node.children
    if isinstance(node, Not):
        return (node.child,)
    return ()


def walk(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """Yield a node and all below it with their paths, parents first."""
    yield path, node
    for index, child in enumerate(children(node)):
        yield from walk(child, f"{path}.{index}")


def walk_rule(rule: Rule) -> Iterator[tuple[str, Node]]:
    """Yield every node of a rule with its path."""
    for path, node in rule.parts():
        yield from walk(node, path)


def referenced_segments(rule: Rule) -> set[int]:
    """Return the segments that a rule names itself."""
    return {node.segment for _path, node in walk_rule(rule) if isinstance(node, Member)}
