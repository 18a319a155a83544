"""Check a rule against what exists. Unknown means error."""

from __future__ import annotations

from collections.abc import Mapping

from segments.rules.catalog import Catalog
from segments.rules.errors import Problem, RuleError
from segments.rules.nodes import (
    Consent,
    Event,
    HasIdentifier,
    Member,
    Node,
    Rule,
    Trait,
    referenced_segments,
    walk_rule,
)
from segments.rules.operators import OPERATORS
from segments.rules.texts import gettext_noop as _

#: what a rule may cost with the rules of all segments that it takes in (`cost_of`)
MAX_COST = 300
#: a kind of event is a scan and a table of people of its own in the database; a condition is a comparison a row
EVENT_COST = 4
VALUES_PER_COST = 100
#: what can be wrong with a rule that was right once, so that a broken segment stores code and values only
TEXTS = {
    "unknown_event": _("Nobody did %(name)s so far."),
    "unknown_purpose": _("The purpose %(name)s does not exist (any more)."),
    "unknown_channel": _("The purpose %(name)s is not used for the channel %(channel)s."),
    "unknown_identifier": _("There is no kind of identifier named %(name)s."),
    "unknown_segment": _("The segment with number %(number)s does not exist (any more)."),
    "unusable_segment": _("The segment %(name)s is broken or archived, so nothing can build on it."),
    "builds_on_unusable": _("The segment %(name)s builds on one that is broken or archived."),
    "unknown_trait": _("Nobody has the trait %(name)s."),
    "unknown_property": _("%(event)s never had the property %(name)s."),
    "wrong_type": _("The comparison does not fit: %(name)s holds %(types)s."),
    "circle": _("Segments may not build on each other in a circle: %(circle)s."),
    "too_costly": _(
        "With the segments that it builds on, this rule costs %(cost)s; at most %(limit)s can be worked out in time. "
        "A condition counts as 1, an event as 4 and 1 for each condition on it, and 100 values as 1."
    ),
}


def check(rule: Rule, catalog: Catalog, *, segment_id: int | None = None) -> None:
    """Raise RuleError with every fault; `segment_id` is the segment whose rule this is, to find circles."""
    problems = [problem for path, node in walk_rule(rule) for problem in _check_node(path, node, catalog)]
    if not problems:
        problems = _check_references(rule, catalog, segment_id)
    if problems:
        raise RuleError(problems)


def cost_of(rule: Rule) -> int:
    """Return what a rule costs to work out, by its shape alone: known before it runs, and the same on every machine."""
    return sum(_node_cost(node) for _path, node in walk_rule(rule))


def _node_cost(node: Node) -> int:
    compared = node.where if isinstance(node, Event) else (node,) if isinstance(node, Trait) else ()
    values = sum(len(item.value) for item in compared if isinstance(item.value, tuple))
    scan = EVENT_COST + len(compared) if isinstance(node, Event) else 1
    return scan + values // VALUES_PER_COST


def _problem(path: str, code: str, proposals: tuple[str, ...] = (), **values: object) -> Problem:
    return Problem(path=path, code=code, text=TEXTS[code], values=values, proposals=proposals)


def _check_node(path: str, node: Node, catalog: Catalog) -> list[Problem]:
    if isinstance(node, Trait):
        return _check_field(path, node, catalog.traits, ("", node.key), catalog)
    if isinstance(node, Event):
        return _check_event(path, node, catalog)
    if isinstance(node, Consent):
        purpose = catalog.purposes.get(node.purpose)
        if purpose is None:
            return [_problem(path, "unknown_purpose", name=node.purpose)]
        if node.channel not in purpose.channels:
            return [_problem(path, "unknown_channel", name=purpose.name, channel=node.channel)]
    if isinstance(node, HasIdentifier) and node.kind not in catalog.identifiers:
        return [_problem(path, "unknown_identifier", name=node.kind)]
    if isinstance(node, Member):
        fact = catalog.segments.get(node.segment)
        if fact is None:
            return [_problem(path, "unknown_segment", number=node.segment)]
        if fact.rule is None and not fact.is_list:
            return [_problem(path, "unusable_segment", name=fact.name)]
    return []


def _check_event(path: str, node: Event, catalog: Catalog) -> list[Problem]:
    if catalog.events is not None and node.name not in catalog.events:
        return [_problem(path, "unknown_event", catalog.proposals.get((node.name, ""), ()), name=node.name)]
    if catalog.properties is None:
        return []
    known = {name: types for (event, name), types in catalog.properties.items() if event == node.name}
    return [
        problem
        for compared in node.where
        for problem in _check_field(path, compared, known, (node.name, compared.key), catalog)
    ]


def _check_field(
    path: str, node: Trait, known: Mapping[str, frozenset[str]] | None, place: tuple[str, str], catalog: Catalog
) -> list[Problem]:
    """Refuse a trait or property that nobody has, and a comparison that can never hold: never a silent zero."""
    if known is None:
        return []
    proposals = catalog.proposals.get(place, ())
    types = known.get(node.key)
    if types is None:
        event, _key = place
        if event:
            return [_problem(path, "unknown_property", proposals, name=node.key, event=event)]
        return [_problem(path, "unknown_trait", proposals, name=node.key)]
    if types and not types & OPERATORS[node.operator].types:
        return [_problem(path, "wrong_type", proposals, name=node.key, types=", ".join(sorted(types)))]
    return []


def _check_references(rule: Rule, catalog: Catalog, segment_id: int | None) -> list[Problem]:
    """Find circles, rules that cannot be used further down, and rules that grow too large when taken in."""
    total = cost_of(rule)
    if total > MAX_COST:
        return [_problem("include", "too_costly", cost=total, limit=MAX_COST)]
    for path, node in walk_rule(rule):
        if not isinstance(node, Member):
            continue
        found = _follow(node.segment, catalog, (segment_id,) if segment_id else ())
        if isinstance(found, tuple):
            names = [catalog.segments[item].name if item in catalog.segments else str(item) for item in found]
            return [_problem(path, "circle", circle=" → ".join(names))]
        if found < 0:
            return [_problem(path, "builds_on_unusable", name=catalog.segments[node.segment].name)]
        total += found
        if total > MAX_COST:
            return [_problem(path, "too_costly", cost=total, limit=MAX_COST)]
    return []


def _follow(segment: int, catalog: Catalog, above: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return the cost that a segment brings in, the circle it closes, or -1 for an unusable one."""
    if segment in above:
        return (*above[above.index(segment) :], segment)
    if catalog.is_list(segment):
        return 0
    fact = catalog.segments.get(segment)
    if fact is None or fact.rule is None:
        return -1
    total = cost_of(fact.rule)
    for below in sorted(referenced_segments(fact.rule)):
        found = _follow(below, catalog, (*above, segment))
        if isinstance(found, tuple) or found < 0:
            return found
        total += found
        if total > MAX_COST:
            return total
    return total
