"""The people of a block and what they did, read once for all segments.

Every segment asks for the same few thousand people. Looking each of them up in every partition, once for each
condition of each segment, is most of the work of keeping a hundred segments fresh; so a block is copied into two
temporary tables that the rules are then printed against.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from segments.rules.catalog import Catalog
from segments.rules.errors import RuleError
from segments.rules.nodes import Event, Member, Moment, Rule, walk_rule
from segments.rules.sql import Tables

BLOCK_TABLES = Tables(people="segments_blockpeople", interactions="segments_blockdone", whole=True)
#: fewer segments than this are asked directly: the copy would cost more than it saves
WORTH = 4

_PEOPLE = (
    "CREATE TEMP TABLE IF NOT EXISTS segments_blockpeople ("
    "id bigint, traits jsonb, first_seen_at timestamptz, last_seen_at timestamptz, "
    "merged_into_id bigint, erased_at timestamptz, restricted_at timestamptz"
    ") ON COMMIT DELETE ROWS"
)
_DONE = (
    "CREATE TEMP TABLE IF NOT EXISTS segments_blockdone ("
    "profile_id bigint, name text, occurred_at timestamptz, properties jsonb) ON COMMIT DELETE ROWS"
)
_FILL_PEOPLE = (
    "INSERT INTO segments_blockpeople SELECT id, traits, first_seen_at, last_seen_at, merged_into_id, erased_at,"
    " restricted_at FROM profiles_profile WHERE id = ANY (%s::bigint[])"
)
_FILL_DONE = (
    "INSERT INTO segments_blockdone SELECT profile_id, name, occurred_at, "
    "CASE WHEN name = ANY (%(opened)s::text[]) THEN properties END FROM profiles_interaction "
    "WHERE profile_id = ANY (%(ids)s::bigint[]) AND name = ANY (%(names)s::text[]){since}"
)


@dataclass
class Needs:
    """What rules want of interactions: names, those whose properties count, how many days back (None: ever)."""

    names: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)
    days: int | None = 0
    _seen: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, rules: Iterable[Rule], catalog: Catalog) -> Needs:
        """Gather the needs of rules and of the segments that they build on."""
        needs = cls()
        for rule in rules:
            needs._add(rule, catalog)
        return needs

    def _add(self, rule: Rule, catalog: Catalog) -> None:
        for _path, node in walk_rule(rule):
            if isinstance(node, Member):
                if node.segment in self._seen or catalog.is_list(node.segment):
                    continue
                self._seen.add(node.segment)
                try:
                    self._add(catalog.rule_of(node.segment), catalog)
                except RuleError:
                    continue  # whoever builds on what is gone is found broken when its own turn comes
            elif isinstance(node, Event):
                self.names.add(node.name)
                if node.where:
                    self.opened.add(node.name)
                if node.window.kind != "last":
                    self.days = None
                elif self.days is not None:
                    self.days = max(self.days, node.window.days)


def fill_block(ids: Sequence[int], needs: Needs, moment: Moment) -> Tables:
    """Copy the people and their interactions into the block; return where it is. Lasts until the transaction ends."""
    with connection.cursor() as cursor:
        # IF NOT EXISTS would still send a notice each time, and a notice is a line in somebody's log.
        cursor.execute("SET LOCAL client_min_messages = warning")
        cursor.execute(_PEOPLE)
        cursor.execute(_DONE)
        cursor.execute("TRUNCATE segments_blockpeople, segments_blockdone")
        cursor.execute(_FILL_PEOPLE, [list(ids)])
        if needs.names:
            since = "" if needs.days is None else " AND occurred_at > %(since)s"
            params: dict[str, Any] = {
                "ids": list(ids),
                "names": sorted(needs.names),
                "opened": sorted(needs.opened),
                "since": None if needs.days is None else moment.ago(needs.days),
            }
            cursor.execute(_FILL_DONE.replace("{since}", since), params)
        cursor.execute("ANALYZE segments_blockpeople, segments_blockdone")
    return BLOCK_TABLES
