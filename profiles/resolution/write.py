"""Write a plan: number the new profiles, write identifiers and links, move what has to move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import connection

from cdp.common.faults import Race
from profiles.changes import IdentifierMove
from profiles.resolution import rows
from profiles.resolution.plan import Plan
from profiles.resolution.rows import IdentifierRow, Pair


class ConcurrentUpdate(Race):
    """Another transaction changed what was looked up; look again."""


def apply_plan(plan: Plan, assertions: Mapping[Pair, Any], *, by: int | None = None) -> dict[Pair, IdentifierRow]:
    """Write everything of a plan except the profiles themselves; return the new identifiers.

    `assertions` holds the assertions of new identifiers, written along. Raises ConcurrentUpdate when an
    identifier already exists.
    """
    _number_profiles(plan)
    created = rows.insert_identifiers(plan, assertions)
    if len(created) != len(plan.new):
        raise ConcurrentUpdate
    rows.trust_identifiers(plan.trusted)
    everybody = {**plan.known, **created}
    link_ids = rows.write_links({_ends(everybody, pair): claim for pair, claim in plan.links.items()})
    _found(plan)
    _move(plan)
    _note_joins(plan, link_ids, by)
    _note_reviews(plan, link_ids, everybody)
    return created


def _ends(everybody: Mapping[Pair, IdentifierRow], ends: tuple[Pair, Pair]) -> tuple[int, int]:
    one, other = everybody[ends[0]].id, everybody[ends[1]].id
    return (one, other) if one < other else (other, one)


def _number_profiles(plan: Plan) -> None:
    """Give the profiles below zero their ids."""
    fresh = plan.created_profile_ids
    if not fresh:
        return
    ids = dict(zip(fresh, rows.next_profile_ids(len(fresh)), strict=True))
    plan.created_profile_ids = list(ids.values())
    for item in plan.new.values():
        item.profile_id = ids.get(item.profile_id, item.profile_id)
        if item.anchored is not None:
            item.anchored = ids.get(item.anchored, item.anchored)
    for table in (plan.new_profile_of, plan.anchors, plan.repointed):
        table.update({key: ids[value] for key, value in table.items() if value in ids})
    plan.moves = [_renumbered(move, ids) if move.to_profile_id in ids else move for move in plan.moves]
    plan.joins = [replace(join, winner_id=ids.get(join.winner_id, join.winner_id)) for join in plan.joins]
    plan.reviews = [(ends, cause, ids.get(a, a), ids.get(b, b)) for ends, cause, a, b in plan.reviews]


def _renumbered(move: IdentifierMove, ids: Mapping[int, int]) -> IdentifierMove:
    return replace(move, to_profile_id=ids[move.to_profile_id])


def _found(plan: Plan) -> None:
    if plan.anchors:
        ordered = sorted(plan.anchors.items())
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE profiles_identifier i SET anchored_profile_id = n.profile_id "
                "FROM unnest(%s::bigint[], %s::bigint[]) AS n(id, profile_id) WHERE i.id = n.id",
                [[id for id, _ in ordered], [profile for _, profile in ordered]],
            )


_MOVE_INTERACTIONS = """
WITH gone AS (
    DELETE FROM profiles_interaction i
    USING unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS m(identifier_id, old, new)
    WHERE i.profile_id = m.old AND i.identifier_id = m.identifier_id
    RETURNING m.new AS profile_id, i.occurred_at, i.id, i.identifier_id, i.received_at, i.kind, i.name, i.properties,
              i.context, i.source_id, i.message_id
)
INSERT INTO profiles_interaction (profile_id, occurred_at, id, identifier_id, received_at, kind, name, properties,
                                  context, source_id, message_id)
SELECT * FROM gone
"""


def _move(plan: Plan) -> None:
    """Move identifiers and, with them, the interactions that hang on them."""
    if not plan.moves:
        return
    moves = sorted(plan.moves, key=lambda move: move.identifier_id)
    ids = [move.identifier_id for move in moves]
    to = [move.to_profile_id for move in moves]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE profiles_identifier i SET profile_id = n.profile_id "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS n(id, profile_id) WHERE i.id = n.id",
            [ids, to],
        )
        cursor.execute(_MOVE_INTERACTIONS, [ids, [move.from_profile_id for move in moves], to])
        if plan.repointed:
            ordered = sorted(plan.repointed.items())
            cursor.execute(
                "UPDATE profiles_profile p SET merged_into_id = n.target "
                "FROM unnest(%s::bigint[], %s::bigint[]) AS n(id, target) WHERE p.id = n.id",
                [[id for id, _ in ordered], [target for _, target in ordered]],
            )
        if plan.parted:
            cursor.execute(
                "UPDATE profiles_profile SET merged_into_id = NULL WHERE id = ANY(%s)", [sorted(plan.parted)]
            )
            cursor.execute(
                "UPDATE profiles_merge SET state = 'undone', undone_at = %s "
                "WHERE loser_id = ANY(%s) AND state = 'done'",
                [datetime.now(UTC), sorted(plan.parted)],
            )


def _note_joins(plan: Plan, link_ids: Mapping[tuple[int, int], int], by: int | None) -> None:
    if not plan.joins:
        return
    now = datetime.now(UTC)
    encode = msgspec.json.encode
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO profiles_merge (winner_id, loser_id, link_id, cause, state, moved, at, by_id) "
            "VALUES (%s, %s, %s, %s, 'done', %s::jsonb, %s, %s)",
            [
                (
                    join.winner_id,
                    join.loser_id,
                    next((id for ends, id in link_ids.items() if _crosses(ends, join.moved)), None),
                    plan.cause,
                    encode({"identifiers": join.moved, "kept": join.kept}).decode(),
                    now,
                    by,
                )
                for join in plan.joins
            ],
        )
        # What waited for review and is now one person needs no review any more.
        cursor.execute(
            "DELETE FROM profiles_merge WHERE state = 'quarantined' AND (winner_id, loser_id) IN "
            "(SELECT * FROM unnest(%s::bigint[], %s::bigint[]))",
            [[join.winner_id for join in plan.joins], [join.loser_id for join in plan.joins]],
        )


def _crosses(ends: tuple[int, int], moved: tuple[int, ...]) -> bool:
    return (ends[0] in moved) != (ends[1] in moved)


def _note_reviews(plan: Plan, link_ids: Mapping[tuple[int, int], int], everybody: Mapping[Pair, IdentifierRow]) -> None:
    if not plan.reviews:
        return
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO profiles_merge (winner_id, loser_id, link_id, cause, state, moved, at) "
            "VALUES (%s, %s, %s, %s, 'quarantined', '{}', %s) ON CONFLICT DO NOTHING",
            sorted(
                (min(a, b), max(a, b), link_ids[_ends(everybody, ends)], cause, now)
                for ends, cause, a, b in plan.reviews
            ),
        )
