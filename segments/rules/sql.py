"""Print a rule as SQL text and parameters.

Every condition that looks beyond the profile's own row is a LEFT JOIN on one row a person, and the tree is a boolean
expression over those: the planner turns it into semi-, anti- or hash joins as it sees fit, wherever in the tree the
condition stands, and nothing degrades to a look-up per person. Equal conditions share a join. All values, trait keys
included, are parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from profiles.identity.alive import last_seen, usable
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
    walk_rule,
)
from segments.rules.operators import OPERATORS
from segments.rules.paths import place_of

Sql = tuple[str, dict[str, Any]]
USABLE = usable("p")
#: with less a join is slow, and saves nothing
LEAST_MB = 4


@dataclass(frozen=True)
class Tables:
    """Where people and interactions are read; `whole` when these tables hold the asked people and nobody else."""

    people: str = "profiles_profile"
    interactions: str = "profiles_interaction"
    whole: bool = False


ALL_TABLES = Tables()


def members_sql(
    rule: Rule, catalog: Catalog, moment: Moment, *, ids: Sequence[int] | None = None, tables: Tables = ALL_TABLES
) -> Sql:
    """Return the query for the ids of all people that meet a rule; with `ids`, of those among them only."""
    printer = Printer(catalog, moment, ids, tables)
    condition = printer.rule(rule)
    return f"SELECT p.id\n{printer.source()}\n  AND {condition}", printer.params


def counts_sql(
    rule: Rule, catalog: Catalog, moment: Moment, *, ids: Sequence[int] | None = None
) -> tuple[str, dict[str, Any], list[str]]:
    """Return a query for one row of counts in a single pass, and what each counts: everybody, the rule, each node."""
    printer = Printer(catalog, moment, ids)
    names, columns = ["base", "total"], ["count(*)", f"count(*) FILTER (WHERE {printer.rule(rule)})"]
    for path, node in walk_rule(rule):
        names.append(path)
        columns.append(f"count(*) FILTER (WHERE {printer.condition(node)})")
    return "SELECT " + ",\n  ".join(columns) + f"\n{printer.source()}", printer.params, names


def work_memory(sql: str, *, most: int, together: int) -> str:
    """Return the memory that each join of a printed query may take (`most` MB), so that all have `together`."""
    joins = max(1, sql.count("LEFT JOIN"))
    return f"{max(LEAST_MB, min(most, together // joins))}MB"


class Printer:
    """Collect joins and parameters while the tree is printed."""

    def __init__(
        self, catalog: Catalog, moment: Moment, ids: Sequence[int] | None, tables: Tables = ALL_TABLES
    ) -> None:
        self.catalog = catalog
        self.moment = moment
        self.params: dict[str, Any] = {} if ids is None else {"ids": list(ids)}
        self.some = ids is not None
        self.tables = tables
        self.joins: dict[str, str] = {}
        self._names: dict[tuple[str, str], str] = {}

    def source(self) -> str:
        """Return FROM, the joins, and the condition that a person's data may be used."""
        lines = [f"FROM {self.tables.people} p"]
        lines += [text.format(alias=alias) for text, alias in self.joins.items()]
        lines.append(f"WHERE {USABLE}")
        if self.some and not self.tables.whole:
            lines.append("  AND p.id = ANY (%(ids)s::bigint[])")
        return "\n".join(lines)

    def value(self, value: Any) -> str:
        """Return the placeholder of a parameter; equal values share one."""
        known = (type(value).__name__, repr(value))
        name = self._names.setdefault(known, f"v{len(self._names)}")
        self.params[name] = value
        return f"%({name})s"

    def join(self, text: str) -> str:
        """Return the alias of a join, new or shared."""
        return self.joins.setdefault(text, f"j{len(self.joins)}")

    def only(self, column: str) -> str:
        """Return the narrowing to the given people, for the inside of a join."""
        return f" AND {column} = ANY (%(ids)s::bigint[])" if self.some else ""

    # Nodes -----------------------------------------------------------------------------------------------------
    def rule(self, rule: Rule) -> str:
        """Print a whole rule as one condition."""
        text = self.condition(rule.include)
        return text if rule.exclude is None else f"({text} AND NOT {self.condition(rule.exclude)})"

    def condition(self, node: Node) -> str:
        """Print a node as an expression that is true or false, never NULL."""
        if isinstance(node, All):
            return "(" + " AND ".join(self.condition(child) for child in node.children) + ")"
        if isinstance(node, AnyOf):
            return "(" + " OR ".join(self.condition(child) for child in node.children) + ")"
        if isinstance(node, Not):
            return f"(NOT {self.condition(node.child)})"
        if isinstance(node, Everyone):
            return "true"
        if isinstance(node, Trait):
            return self.comparison("p.traits", node)
        if isinstance(node, Event):
            return self.event(node)
        if isinstance(node, Seen):
            column = {"first": "p.first_seen_at", "last": last_seen("p")}[node.which]
            sign = {"within": ">", "before": "<="}[node.operator]
            return f"({column} {sign} {self.value(self.moment.ago(node.days))})"
        if isinstance(node, Member):
            if self.catalog.is_list(node.segment):
                return self.listed(node)
            return self.rule(self.catalog.rule_of(node.segment))
        if isinstance(node, Consent):
            return self.consent(node)
        if isinstance(node, HasIdentifier):
            return self.identifier(node)
        raise AssertionError(f"no SQL for {node!r}")

    def comparison(self, column: str, node: Trait) -> str:
        """Print a comparison of one key of a jsonb column."""
        operator = OPERATORS[node.operator]
        given = {name: self.value(value) for name, value in operator.encode(node.value, self.moment).items()}
        place = place_of(node.key)
        stored = self.stored(column, place.key)
        if not place.is_list:
            return operator.sql(node.value).format(x=stored, t=self.text(column, place.key), **given)
        line = self.stored("line.item", place.line_key) if place.line_key else "line.item"
        lines = f"CASE jsonb_typeof({stored}) WHEN 'array' THEN {stored} ELSE '[]'::jsonb END"
        text = self.text("line.item", place.line_key) if place.line_key else "(line.item #>> '{}')"
        compared = operator.sql(node.value).format(x=line, t=text, **given)
        return f"EXISTS (SELECT FROM jsonb_array_elements({lines}) AS line(item) WHERE {compared})"

    def stored(self, column: str, key: str) -> str:
        """Print the value of a key, else of the member that its dots lead to."""
        plain = f"({column} -> {self.value(key)})"
        if "." not in key:
            return plain
        return f"COALESCE(NULLIF({plain}, 'null'::jsonb), {column} #> {self.value(key.split('.'))}::text[])"

    def text(self, column: str, key: str) -> str:
        """Print the same value as text; NULL for the JSON null."""
        return f"({self.stored(column, key)} #>> '{{}}')" if "." in key else f"({column} ->> {self.value(key)})"

    def event(self, node: Event) -> str:
        """Print a count of interactions. Whoever did nothing has no row, so upper limits ask for those above them."""
        having, negated = {
            "at_least": (f">= {node.times}", False),
            "exactly": (f"= {node.times}", False) if node.times else (">= 1", True),
            "at_most": (f">= {node.times + 1}", True),
            "never": (">= 1", True),
        }[node.count]
        conditions = [f"i.name = {self.value(node.name)}", *self.window(node)]
        conditions += [self.comparison("i.properties", item) for item in node.where]
        text = (
            f"LEFT JOIN (SELECT i.profile_id FROM {self.tables.interactions} i\n    WHERE "
            + " AND ".join(conditions)
            + ("" if self.tables.whole else self.only("i.profile_id"))
            + "\n    GROUP BY i.profile_id"
            + ("" if having == ">= 1" else f" HAVING count(*) {having}")
        )
        alias = self.join(_escaped(text) + ") {alias} ON {alias}.profile_id = p.id")
        return f"({alias}.profile_id IS {'' if negated else 'NOT '}NULL)"

    def window(self, node: Event) -> list[str]:
        """Print when something happened."""
        window = node.window
        if window.kind == "last":
            return [f"i.occurred_at > {self.value(self.moment.ago(window.days))}"]
        if window.kind == "between" and window.start and window.end:
            start = self.moment.midnight(window.start)
            end = self.moment.midnight(window.end + timedelta(days=1))
            return [f"i.occurred_at >= {self.value(start)}", f"i.occurred_at < {self.value(end)}"]
        return []

    def consent(self, node: Consent) -> str:
        """Print a look at the current answer."""
        purpose = self.value(self.catalog.purposes[node.purpose].id)
        alias = self.join(
            "LEFT JOIN consent_consentstate {alias} ON {alias}.profile_id = p.id "
            f"AND {{alias}}.purpose_id = {purpose} AND {{alias}}.channel = {self.value(node.channel)}"
        )
        if node.state == "none":
            return f"({alias}.profile_id IS NULL)"
        return f"COALESCE({alias}.state = {self.value(node.state)}, false)"

    def listed(self, node: Member) -> str:
        """Print whether somebody stands in a list."""
        alias = self.join(
            "LEFT JOIN segments_membership {alias} ON {alias}.profile_id = p.id "
            f"AND {{alias}}.segment_id = {self.value(node.segment)}"
        )
        return f"({alias}.profile_id IS NOT NULL)"

    def identifier(self, node: HasIdentifier) -> str:
        """Print whether there is an identifier of a kind."""
        alias = self.join(
            "LEFT JOIN (SELECT f.profile_id FROM profiles_identifier f WHERE "
            f"f.kind = {self.value(node.kind)}{self.only('f.profile_id')}\n    GROUP BY f.profile_id) "
            "{alias} ON {alias}.profile_id = p.id"
        )
        return f"({alias}.profile_id IS NOT NULL)"


def _escaped(text: str) -> str:
    """Double the braces of a text that will be formatted with the alias."""
    return text.replace("{", "{{").replace("}", "}}")
