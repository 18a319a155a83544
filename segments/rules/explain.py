"""Say why one person is, or is not, in a segment: the tree with what each condition found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from segments.rules.catalog import Catalog
from segments.rules.days import day_of
from segments.rules.describe import Speaker
from segments.rules.evaluate import Person, matching, node_holds
from segments.rules.nodes import (
    All,
    AnyOf,
    Consent,
    Event,
    HasIdentifier,
    Member,
    Moment,
    Node,
    Not,
    Rule,
    Seen,
    Trait,
    children,
)
from segments.rules.operators import CONSENT_STATES
from segments.rules.paths import place_of, values_at
from segments.rules.texts import Translate
from segments.rules.texts import gettext_noop as _

#: values of a list that are shown
SHOWN_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A node with its verdict. `field` and `value`: a trait and what is stored, for masking; `at`: a moment found."""

    path: str
    kind: str  # all | any | not | leaf | include | exclude | segment
    text: str
    holds: bool
    found: str = ""
    field: str = ""
    value: Any = None
    at: datetime | None = None
    children: tuple[Finding, ...] = ()


def explain(
    rule: Rule,
    person: Person,
    catalog: Catalog,
    moment: Moment,
    translate: Translate = str,
    shown: Callable[[Node], Node] = lambda node: node,
) -> tuple[Finding, ...]:
    """Return the findings of include and, where there is one, exclude; `shown` gives a condition as it may be read."""
    teller = _Teller(person, catalog, moment, translate, shown)
    return tuple(teller.tell(node, path) for path, node in rule.parts())


class _Teller:
    def __init__(
        self, person: Person, catalog: Catalog, moment: Moment, translate: Translate, shown: Callable[[Node], Node]
    ) -> None:
        self.shown = shown
        self.person = person
        self.catalog = catalog
        self.moment = moment
        self._ = translate
        self.speaker = Speaker(catalog, translate)

    def tell(self, node: Node, path: str) -> Finding:
        """Return the finding of a node with those below."""
        holds = node_holds(node, self.person, self.catalog, self.moment)
        if isinstance(node, (All, AnyOf, Not)):
            kind = {All: "all", AnyOf: "any", Not: "not"}[type(node)]
            text = {"all": _("ALL of these"), "any": _("ANY of these"), "not": _("NOT")}[kind]
            below = tuple(self.tell(child, f"{path}.{index}") for index, child in enumerate(children(node)))
            return Finding(path=path, kind=kind, text=self._(text), holds=holds, children=below)
        if isinstance(node, Member) and not self.catalog.is_list(node.segment):
            rule = self.catalog.rule_of(node.segment)
            below = tuple(self.tell(part, f"{path}.{name}") for name, part in rule.parts())
            return Finding(path=path, kind="segment", text=self.words(node), holds=holds, children=below)
        return Finding(path=path, kind="leaf", text=self.words(node), holds=holds, **self.found(node))

    def words(self, node: Node) -> str:
        """Return the phrase of one condition, as the reader may read it."""
        return self.speaker.leaf(self.shown(node))

    def counted_day(self, value: Any) -> dict[str, Any]:
        """Return the day that a moment with a zone counts for, where that is not the day as written."""
        day = day_of(value, self.moment.zone)
        if day is None or value.startswith(day):
            return {}
        return {"found": self._(_("which counts for %(day)s")) % {"day": day}}

    def found(self, node: Node) -> dict[str, Any]:
        """Return what the person has where the condition looks."""
        if isinstance(node, Trait):
            place = place_of(node.key)
            values = [value for value in values_at(self.person.traits, place) if value is not None]
            if not values:
                return {"found": self._(_("not known"))}
            told = {"field": node.key, "value": values[:SHOWN_LINES] if place.is_list else values[0]}
            return told if place.is_list else told | self.counted_day(values[0])
        if isinstance(node, Event):
            hits = matching(node, self.person, self.moment)
            if not hits:
                return {"found": self._(_("never did so") if node.window.kind == "ever" else _("not in that time"))}
            last = max(item.occurred_at for item in hits)
            return {"found": self._(_("did so %(count)s times, last")) % {"count": len(hits)}, "at": last}
        if isinstance(node, Seen):
            first = node.which == "first"
            at = self.person.first_seen_at if first else self.person.last_seen_at
            return {"at": at, "found": self._(_("seen"))} if at else {"found": self._(_("never seen"))}
        if isinstance(node, Consent):
            state = self.person.consents.get((node.purpose, node.channel), "none")
            return {"found": self._(CONSENT_STATES.get(state, state))}
        if isinstance(node, HasIdentifier):
            return {"found": self._(_("has one")) if node.kind in self.person.identifiers else self._(_("has none"))}
        return {}
