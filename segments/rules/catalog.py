"""What exists: the facts that a rule is checked against, gathered by the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from segments.rules.nodes import Rule


@dataclass(frozen=True, kw_only=True)
class PurposeFact:
    """A purpose: its id, its name and the channels it may use."""

    id: int
    name: str
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SegmentFact:
    """Another segment: its name and its rule; no rule when it is broken, archived, or a list kept by hand."""

    id: int
    name: str
    rule: Rule | None
    is_list: bool = False  # one that can be used


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Known traits with the types they were seen in, event names, purposes, kinds of identifier and segments.

    `traits`, `events` or `properties` of None leaves that check out: a stored rule stays in force when nobody does an
    event any more. No types mean that any comparison fits.
    """

    traits: Mapping[str, frozenset[str]] | None = None
    events: frozenset[str] | None = None
    #: (event, property) -> types
    properties: Mapping[tuple[str, str], frozenset[str]] | None = None
    #: (event or empty, name) -> known names that an unknown one may have meant, the likeliest first
    proposals: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    purposes: Mapping[str, PurposeFact] = field(default_factory=dict)
    identifiers: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[int, SegmentFact] = field(default_factory=dict)

    def is_list(self, segment: int) -> bool:
        """Tell whether another segment is a list kept by hand: who is in it is looked up, and depends on nothing."""
        fact = self.segments.get(segment)
        return fact is not None and fact.is_list

    def rule_of(self, segment: int) -> Rule:
        """Return another segment's rule; `check` has made sure that there is one."""
        rule = self.segments[segment].rule
        if rule is None:
            raise KeyError(segment)
        return rule
