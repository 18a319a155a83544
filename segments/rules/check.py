"""Check a rule against what exists. Unknown means error."""

from __future__ import annotations

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

#: nodes of a rule with the rules of all segments that it takes in
MAX_TOTAL_NODES = 400


def check(rule: Rule, catalog: Catalog, *, segment_id: int | None = None) -> None:
    """Raise RuleError with every fault; `segment_id` is the segment whose rule this is, to find circles."""
    problems = [problem for path, node in walk_rule(rule) for problem in _check_node(path, node, catalog)]
    if not problems:
        problems = _check_references(rule, catalog, segment_id)
    if problems:
        raise RuleError(problems)


def _check_node(path: str, node: Node, catalog: Catalog) -> list[Problem]:
    if isinstance(node, Trait):
        return _check_trait(path, node, catalog)
    if isinstance(node, Event) and catalog.events is not None and node.name not in catalog.events:
        text = _("Nobody did %(name)s so far. Check the spelling.")
        return [Problem(path=path, code="unknown_event", text=text, values={"name": node.name})]
    if isinstance(node, Consent):
        purpose = catalog.purposes.get(node.purpose)
        if purpose is None:
            text = _("The purpose %(name)s does not exist (any more).")
            return [Problem(path=path, code="unknown_purpose", text=text, values={"name": node.purpose})]
        if node.channel not in purpose.channels:
            text = _("The purpose %(name)s is not used for the channel %(channel)s.")
            values = {"name": purpose.name, "channel": node.channel}
            return [Problem(path=path, code="unknown_channel", text=text, values=values)]
    if isinstance(node, HasIdentifier) and node.kind not in catalog.identifiers:
        text = _("There is no kind of identifier named %(name)s.")
        return [Problem(path=path, code="unknown_identifier", text=text, values={"name": node.kind})]
    if isinstance(node, Member):
        fact = catalog.segments.get(node.segment)
        if fact is None:
            text = _("The segment with number %(number)s does not exist (any more).")
            return [Problem(path=path, code="unknown_segment", text=text, values={"number": node.segment})]
        if fact.rule is None:
            text = _("The segment %(name)s is broken or archived, so nothing can build on it.")
            return [Problem(path=path, code="unusable_segment", text=text, values={"name": fact.name})]
    return []


def _check_trait(path: str, node: Trait, catalog: Catalog) -> list[Problem]:
    if catalog.traits is None:
        return []
    types = catalog.traits.get(node.key)
    if types is None:
        text = _("Nobody has the trait %(name)s. Check the spelling.")
        return [Problem(path=path, code="unknown_trait", text=text, values={"name": node.key})]
    operator = OPERATORS[node.operator]
    if types and not types & operator.types:
        text = _("The comparison does not fit: %(name)s holds %(types)s.")
        values = {"name": node.key, "types": ", ".join(sorted(types))}
        return [Problem(path=path, code="wrong_type", text=text, values=values)]
    return []


def _check_references(rule: Rule, catalog: Catalog, segment_id: int | None) -> list[Problem]:
    """Find circles, rules that cannot be used further down, and rules that grow too large when taken in."""
    total = sum(1 for _node in walk_rule(rule))
    for path, node in walk_rule(rule):
        if not isinstance(node, Member):
            continue
        found = _follow(node.segment, catalog, (segment_id,) if segment_id else ())
        if isinstance(found, tuple):
            names = [catalog.segments[item].name if item in catalog.segments else str(item) for item in found]
            text = _("Segments may not build on each other in a circle: %(circle)s.")
            return [Problem(path=path, code="circle", text=text, values={"circle": " → ".join(names)})]
        if found < 0:
            text = _("The segment %(name)s builds on one that is broken or archived.")
            name = catalog.segments[node.segment].name
            return [Problem(path=path, code="unusable_segment", text=text, values={"name": name})]
        total += found
        if total > MAX_TOTAL_NODES:
            text = _("With the segments that it builds on, this rule has more than %(limit)s conditions.")
            return [Problem(path=path, code="too_many", text=text, values={"limit": MAX_TOTAL_NODES})]
    return []


def _follow(segment: int, catalog: Catalog, above: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return the number of nodes that a segment brings in, the circle it closes, or -1 for an unusable one."""
    if segment in above:
        return (*above[above.index(segment) :], segment)
    fact = catalog.segments.get(segment)
    if fact is None or fact.rule is None:
        return -1
    total = sum(1 for _node in walk_rule(fact.rule))
    for below in sorted(referenced_segments(fact.rule)):
        found = _follow(below, catalog, (*above, segment))
        if isinstance(found, tuple) or found < 0:
            return found
        total += found
        if total > MAX_TOTAL_NODES:
            return total
    return total
