"""Evaluate a rule for one person in memory: the oracle that the SQL must agree with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from segments.rules.catalog import Catalog
from segments.rules.nodes import (
    All,
    AnyOf,
    Consent,
    Event,
    Everyone,
    HasIdentifier,
    Member,
    Moment,
    Node,
    Not,
    Rule,
    Seen,
    Trait,
    Window,
)
from segments.rules.operators import OPERATORS, holds
from segments.rules.paths import place_of, values_at


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One thing that a person did."""

    name: str
    occurred_at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Person:
    """All that a rule may ask about a person. `consents` maps (purpose, channel) to the current answer."""

    first_seen_at: datetime
    last_seen_at: datetime | None  # None: never seen
    traits: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[PastEvent, ...] = ()
    identifiers: frozenset[str] = frozenset()
    consents: Mapping[tuple[str, str], str] = field(default_factory=dict)
    lists: frozenset[int] = frozenset()  # lists kept by hand that the person is in
    usable: bool = True  # alive, and not restricted


def meets(rule: Rule, person: Person, catalog: Catalog, moment: Moment) -> bool:
    """Tell whether a person is in a segment with this rule."""
    return person.usable and rule_holds(rule, person, catalog, moment)


def rule_holds(rule: Rule, person: Person, catalog: Catalog, moment: Moment) -> bool:
    """Tell whether include holds and exclude does not."""
    if rule.exclude is not None and node_holds(rule.exclude, person, catalog, moment):
        return False
    return node_holds(rule.include, person, catalog, moment)


def node_holds(node: Node, person: Person, catalog: Catalog, moment: Moment) -> bool:
    """Tell whether one node holds."""
    if isinstance(node, All):
        return all(node_holds(child, person, catalog, moment) for child in node.children)
    if isinstance(node, AnyOf):
        return any(node_holds(child, person, catalog, moment) for child in node.children)
    if isinstance(node, Not):
        return not node_holds(node.child, person, catalog, moment)
    if isinstance(node, Everyone):
        return True
    if isinstance(node, Trait):
        return comparison_holds(node, person.traits, moment)
    if isinstance(node, Event):
        count = len(matching(node, person, moment))
        return {
            "at_least": count >= node.times,
            "at_most": count <= node.times,
            "exactly": count == node.times,
            "never": count == 0,
        }[node.count]
    if isinstance(node, Seen):
        seen = person.first_seen_at if node.which == "first" else person.last_seen_at
        return (seen is not None and seen > moment.ago(node.days)) == (node.operator == "within")
    if isinstance(node, Member):
        if catalog.is_list(node.segment):
            return node.segment in person.lists
        return rule_holds(catalog.rule_of(node.segment), person, catalog, moment)
    if isinstance(node, Consent):
        return person.consents.get((node.purpose, node.channel), "none") == node.state
    if isinstance(node, HasIdentifier):
        return node.kind in person.identifiers
    raise AssertionError(f"cannot evaluate {node!r}")


def comparison_holds(node: Trait, stored: Mapping[str, Any], moment: Moment) -> bool:
    """Compare a trait or property; of a list, any line will do."""
    operator = OPERATORS[node.operator]
    return any(holds(operator, value, node.value, moment) for value in values_at(stored, place_of(node.key)))


def matching(node: Event, person: Person, moment: Moment) -> list[PastEvent]:
    """Return what the person did that an event condition counts."""
    return [
        item
        for item in person.events
        if item.name == node.name
        and _within(node.window, item.occurred_at, moment)
        and all(comparison_holds(compared, item.properties, moment) for compared in node.where)
    ]


def _within(window: Window, at: datetime, moment: Moment) -> bool:
    if window.kind == "last":
        return at > moment.ago(window.days)
    if window.kind == "between" and window.start and window.end:
        return moment.midnight(window.start) <= at < moment.midnight(window.end + timedelta(days=1))
    return True
