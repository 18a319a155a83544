"""What hangs together with some identifiers, loaded in a bounded number of statements whatever anybody sends.

Followed are the links that can decide who is who. Denied and held links join nobody, a public key's link between two
known people neither; an identifier that far too many share joins nobody, so nothing is followed beyond it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.db import connection

from cdp.common.arrays import bulk_cursor, numbers
from profiles.identity.bounds import MAX_COMPONENT
from profiles.identity.graph import DEVICE, MAX_CROWD, MAX_SHARED, Degree, Kind, Link, count_link, kind_of
from profiles.resolution.rows import COLUMNS, IdentifierRow, LinkRow

#: links of one identifier that are looked at, each way: enough to see that it joins nobody
MAX_LINKS = 2 * MAX_CROWD
#: identifiers that one statement loads for a whole block, beyond some for each that it begins with
MAX_TOGETHER = 4000


@dataclass(slots=True)
class Closure:
    """Every identifier that can be reached, the links among them, and how many links lead elsewhere."""

    identifiers: dict[int, IdentifierRow] = field(default_factory=dict)
    links: dict[tuple[int, int], LinkRow] = field(default_factory=dict)
    outside: dict[int, Degree] = field(default_factory=dict)
    #: identifiers of which too much hangs together to be loaded: nothing may be decided about them
    cut: frozenset[int] = frozenset()

    def profile_ids(self) -> set[int]:
        """Return the profiles of all of them, and those that they anchored."""
        rows = self.identifiers.values()
        return {row.profile_id for row in rows} | {row.anchored for row in rows if row.anchored is not None}

    def signature(self) -> tuple[Any, ...]:
        """Return what must be unchanged between the look-up and the lock."""
        return frozenset(self.identifiers.values()), frozenset(self.links.values()), self.cut


# An identifier's links, with what the rules need: whether anything beyond is worth following (see Degree of
# profiles.identity.graph). A statement that yields row by row stops at its LIMIT. The other ends are looked up one by
# one (OFFSET 0, scalar subqueries): a planner that expects many rows would read the whole table instead.
_STEP = f"""
SELECT n.id, n.kind, n.known FROM (
    SELECT o.id, o.kind, l.weak, l.manual,
        o.kind = ANY(%(strongest)s) OR (o.trusted_at IS NOT NULL AND o.kind <> '{DEVICE}') AS known,
        count(*) FILTER (WHERE NOT l.weak AND NOT l.manual) OVER () AS strong,
        count(*) FILTER (WHERE NOT l.weak AND NOT l.manual AND {{up}}) OVER () AS strong_up,
        count(*) FILTER (WHERE NOT l.manual) OVER () AS total,
        count(*) FILTER (WHERE NOT l.manual AND {{up}}) OVER () AS up
    FROM (
        (SELECT high_id AS id, weak, manual FROM profiles_identitylink WHERE low_id = r.id AND denied_at IS NULL
         LIMIT {MAX_LINKS})
        UNION ALL
        (SELECT low_id, weak, manual FROM profiles_identitylink WHERE high_id = r.id AND denied_at IS NULL
         LIMIT {MAX_LINKS})
    ) l CROSS JOIN LATERAL (SELECT * FROM profiles_identifier i WHERE i.id = l.id OFFSET 0) o
) n
WHERE n.manual
   OR (NOT n.weak AND n.strong <= {MAX_CROWD} AND n.strong_up <= {MAX_SHARED})
   OR (n.weak AND NOT (r.known AND n.known) AND n.total <= {MAX_CROWD} AND n.up <= {MAX_SHARED})
""".format(
    up="coalesce((%(priorities)s::jsonb ->> o.kind)::int, 99) < coalesce((%(priorities)s::jsonb ->> r.kind)::int, 99)"
)
_REACHED = f"""
WITH RECURSIVE reached(id, kind, known) AS (
    SELECT i.id, i.kind::text, i.kind = ANY(%(strongest)s) OR (i.trusted_at IS NOT NULL AND i.kind <> '{DEVICE}')
    FROM profiles_identifier i WHERE i.id = ANY({{start}})
    UNION
    SELECT s.id, s.kind::text, s.known FROM reached r CROSS JOIN LATERAL ({_STEP}) s
)
SELECT id FROM reached
"""
_TOGETHER = _REACHED.format(start="%(ids)s::bigint[]") + "LIMIT %(most)s"
_EACH = (
    "SELECT g.number, c.id FROM (SELECT number, array_agg(id) AS ids FROM unnest(%(groups)s::int[], %(ids)s::bigint[])"
    " AS a(number, id) GROUP BY number) g CROSS JOIN LATERAL (" + _REACHED.format(start="g.ids") + "LIMIT %(most)s) c"
)
_LINK = "low_id, high_id, first_at, tie, weak, manual, denied_at IS NOT NULL"
_LINKS_OF = f"""
SELECT l.*, (SELECT kind FROM profiles_identifier WHERE id = l.low_id),
    (SELECT kind FROM profiles_identifier WHERE id = l.high_id)
FROM unnest(%s::bigint[]) AS asked(id) CROSS JOIN LATERAL (
    (SELECT {_LINK} FROM profiles_identitylink WHERE low_id = asked.id LIMIT {MAX_LINKS})
    UNION ALL
    (SELECT {_LINK} FROM profiles_identitylink WHERE high_id = asked.id LIMIT {MAX_LINKS})
) AS l
"""


def load_closure(groups: Sequence[Collection[int]], kinds: Mapping[str, Kind]) -> Closure:
    """Return what can be reached from these groups of identifiers, each group being about the same people."""
    if not groups:
        return Closure()
    ids, cut = _reached(groups, kinds)
    closure = Closure(cut=frozenset(cut))
    asked = numbers(ids)
    with bulk_cursor() as cursor:
        cursor.execute(f"SELECT {COLUMNS} FROM profiles_identifier i WHERE i.id = ANY(%s::bigint[])", [asked])
        closure.identifiers = {row[0]: IdentifierRow._make(row) for row in cursor.fetchall()}
        cursor.execute(_LINKS_OF, [asked])
        # A link between two of those asked for comes from both ends; it counts once.
        rows = set(cursor.fetchall())
    for *columns, low_kind, high_kind in rows:
        link = LinkRow(*columns)
        if link.low in closure.identifiers and link.high in closure.identifiers:
            closure.links[(link.low, link.high)] = link
        else:
            plain = Link(link.low, link.high, 0, "", link.weak, link.manual, link.denied)
            count_link(closure.outside, plain, kind_of(low_kind, kinds), kind_of(high_kind, kinds))
    closure.outside = {id: degree for id, degree in closure.outside.items() if id in closure.identifiers}
    return closure


def _reached(groups: Sequence[Collection[int]], kinds: Mapping[str, Kind]) -> tuple[list[int], set[int]]:
    """Return (the identifiers that can be reached, those of them of which more hangs together than may be loaded)."""
    seeds = [(number, id) for number, group in enumerate(groups) for id in group]
    most = MAX_TOGETHER + 20 * len(seeds)
    params: dict[str, Any] = {
        "ids": numbers(id for _number, id in seeds),
        "groups": [number for number, _id in seeds],
        "strongest": [kind.name for kind in kinds.values() if kind.priority == 1],
        "priorities": msgspec.json.encode({kind.name: kind.priority for kind in kinds.values()}).decode(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TOGETHER, params | {"most": most})
        found = [id for (id,) in cursor.fetchall()]
        if len(found) < most:
            return found, set()
        # Somebody's links lead very far: each group by itself, so that it harms itself alone.
        cursor.execute(_EACH, params | {"most": MAX_COMPONENT + 1})
        by_group: dict[int, list[int]] = {}
        for number, id in cursor.fetchall():
            by_group.setdefault(number, []).append(id)
    cut = {id for members in by_group.values() if len(members) > MAX_COMPONENT for id in members}
    return sorted({id for members in by_group.values() for id in members}), cut
