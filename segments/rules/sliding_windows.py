"""What changes by time alone: the windows of a rule whose edges move along with the clock."""

from __future__ import annotations

from dataclasses import dataclass

from segments.rules.catalog import Catalog
from segments.rules.nodes import Event, Member, Rule, Seen, Trait, walk_rule
from segments.rules.paths import LINES


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """An edge `days` back, on `event` times (key: the name), `first` or `last` seen, or a `trait` (key: the trait)."""

    kind: str
    key: str
    days: int


def moving_edges(rule: Rule, catalog: Catalog) -> frozenset[Edge]:
    """Return every moving edge of a rule and of the segments it builds on."""
    edges: set[Edge] = set()
    for _path, node in walk_rule(rule):
        if isinstance(node, Event):
            if node.window.kind == "last":
                edges.add(Edge("event", node.name, node.window.days))
            for item in node.where:
                if item.operator in ("in_last", "before_last"):
                    edges.add(Edge("property", node.name, int(item.value)))  # type: ignore[arg-type]  # days, by parse
        elif isinstance(node, Seen):
            edges.add(Edge(node.which, "", node.days))
        elif isinstance(node, Trait) and node.operator in ("in_last", "before_last"):
            # Inside objects and lists no index finds those whose edge went by: everybody is looked at, once a day.
            kind = "property" if "." in node.key or LINES in node.key else "trait"
            edges.add(Edge(kind, node.key, int(node.value)))  # type: ignore[arg-type]  # days, by parse
        elif isinstance(node, Member) and not catalog.is_list(node.segment):
            edges |= moving_edges(catalog.rule_of(node.segment), catalog)
    return frozenset(edges)
