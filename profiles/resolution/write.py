"""Write a plan: number the new profiles, write identifiers and links, move what has to move."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import IntegrityError, connection

from cdp.common.arrays import flags, moments, numbers, texts
from cdp.common.copying import NULL, copy_json, copy_lines, copy_text, copy_time
from profiles.changes import IdentifierMove
from profiles.resolution.plan import Ends, Plan
from profiles.resolution.rows import IdentifierRow, LinkClaim, Pair

_encode = msgspec.json.encode


class ConcurrentUpdate(Exception):
    """Another transaction changed what was looked up; look again."""


def apply_plan(plan: Plan, assertions: Mapping[Pair, Any], *, by: int | None = None) -> dict[Pair, IdentifierRow]:
    """Write everything of a plan except the profiles themselves; return the new identifiers.

    `assertions` holds the assertions of new identifiers, written along. Raises ConcurrentUpdate when an
    identifier already exists.
    """
    _number_profiles(plan)
    created = _insert_identifiers(plan, assertions)
    _update_identifiers(plan)
    everybody = {**plan.known, **created}
    link_ids = _write_links({_ids(everybody, ends): claim for ends, claim in plan.links.items()})
    _copy_links(plan, created)
    _hold_links({_ids(everybody, ends): claim for ends, claim in plan.held.items()})
    _move(plan)
    _note_merges(plan, link_ids, by)
    _note_reviews(plan, everybody)
    remove_identifiers(plan.removed)
    return created


def _ids(everybody: Mapping[Pair, IdentifierRow], ends: Ends) -> tuple[int, int]:
    one, other = everybody[ends[0]].id, everybody[ends[1]].id
    return (one, other) if one < other else (other, one)


# Profiles and identifiers ------------------------------------------------------------------------------------------
def _next_ids(table: str, count: int) -> list[int]:
    """Take ids from a table's sequence."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT nextval('{table}_id_seq') FROM generate_series(1, %s)", [count])
        return [id for (id,) in cursor.fetchall()]


def _number_profiles(plan: Plan) -> None:
    """Give the profiles below zero their ids."""
    fresh = [id for id in plan.created_profile_ids if id < 0]
    if not fresh:
        return
    ids = dict(zip(fresh, _next_ids("profiles_profile", len(fresh)), strict=True))
    plan.created_profile_ids = [ids.get(id, id) for id in plan.created_profile_ids]
    for item in plan.new.values():
        item.profile_id = ids.get(item.profile_id, item.profile_id)
        if item.anchored is not None:
            item.anchored = ids.get(item.anchored, item.anchored)
    for table in (plan.new_profile_of, plan.anchors, plan.repointed):
        table.update({key: ids[value] for key, value in table.items() if value in ids})
    plan.moves = [_renumbered(move, ids) if move.to_profile_id in ids else move for move in plan.moves]
    plan.merges = [replace(merge, winner_id=ids.get(merge.winner_id, merge.winner_id)) for merge in plan.merges]
    for review in plan.reviews:
        review.one_id = ids.get(review.one_id, review.one_id)
        review.other_id = ids.get(review.other_id, review.other_id)


def _renumbered(move: IdentifierMove, ids: Mapping[int, int]) -> IdentifierMove:
    return replace(move, to_profile_id=ids[move.to_profile_id])


_COPY_IDENTIFIERS = (
    "COPY profiles_identifier (id, kind, value, profile_id, anchored_profile_id, trusted_at, tied, in_use, source_id,"
    " first_seen_at, last_seen_at, assertions) FROM STDIN"
)


def _insert_identifiers(plan: Plan, assertions: Mapping[Pair, Any]) -> dict[Pair, IdentifierRow]:
    """Write the new identifiers, sorted by value; return them. Raises ConcurrentUpdate when one exists by now."""
    if not plan.new:
        return {}
    new = sorted(plan.new.items())
    created: dict[Pair, IdentifierRow] = {}
    lines = []
    for id, (pair, item) in zip(_next_ids("profiles_identifier", len(new)), new, strict=True):
        seen = item.seen
        created[pair] = IdentifierRow(
            id, *pair, item.profile_id, seen.trusted_at, item.tied, seen.in_use, item.anchored
        )
        said = copy_json(assertions[pair]) if pair in assertions else "{}"
        lines.append(
            f"{id}\t{copy_text(pair[0])}\t{copy_text(pair[1])}\t{item.profile_id}\t"
            f"{NULL if item.anchored is None else item.anchored}\t{copy_time(seen.trusted_at)}\t{item.tied}\t"
            f"{seen.in_use}\t{NULL if seen.source_id is None else seen.source_id}\t{copy_time(seen.first)}\t"
            f"{copy_time(seen.last)}\t{said}\n"
        )
    try:
        copy_lines(_COPY_IDENTIFIERS, lines)
    except IntegrityError as error:
        raise ConcurrentUpdate from error
    return created


def _update_identifiers(plan: Plan) -> None:
    """Note what changed of identifiers that stay where they are."""
    with connection.cursor() as cursor:
        if plan.trusted:
            trusted = sorted(plan.trusted.items())
            cursor.execute(
                "UPDATE profiles_identifier i SET trusted_at = least(i.trusted_at, n.at)"
                " FROM unnest(%s::bigint[], %s::timestamptz[]) AS n(id, at) WHERE i.id = n.id",
                [numbers(id for id, _ in trusted), moments(at for _, at in trusted)],
            )
        if plan.used:
            cursor.execute(
                "UPDATE profiles_identifier SET in_use = true WHERE id = ANY(%s::bigint[])",
                [numbers(sorted(plan.used))],
            )
        if plan.tied:
            ordered = sorted(plan.tied.items())
            cursor.execute(
                "UPDATE profiles_identifier i SET tied = n.tied FROM unnest(%s::bigint[], %s::bool[]) AS n(id, tied)"
                " WHERE i.id = n.id",
                [numbers(id for id, _ in ordered), flags(tied for _, tied in ordered)],
            )
        if plan.anchors:
            anchors = sorted(plan.anchors.items())
            cursor.execute(
                "UPDATE profiles_identifier i SET anchored_profile_id = n.profile_id "
                "FROM unnest(%s::bigint[], %s::bigint[]) AS n(id, profile_id) WHERE i.id = n.id",
                [numbers(id for id, _ in anchors), numbers(profile for _, profile in anchors)],
            )


def remove_identifiers(ids: Collection[int]) -> None:
    """Delete identifiers on which nothing hangs, with their links and what waits for review because of these."""
    if not ids:
        return
    gone = numbers(sorted(ids))
    either = "low_id = ANY(%s::bigint[]) OR high_id = ANY(%s::bigint[])"
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM profiles_merge WHERE state = 'quarantined' AND link_id IN"
            f" (SELECT id FROM profiles_identitylink WHERE {either})",
            [gone, gone],
        )
        cursor.execute(
            "UPDATE profiles_merge SET link_id = NULL WHERE link_id IN"
            f" (SELECT id FROM profiles_identitylink WHERE {either})",
            [gone, gone],
        )
        for table in ("profiles_identitylink", "profiles_heldlink"):
            cursor.execute(f"DELETE FROM {table} WHERE {either}", [gone, gone])
        cursor.execute("DELETE FROM profiles_identifier WHERE id = ANY(%s::bigint[])", [gone])


# Links -------------------------------------------------------------------------------------------------------------
#: what `LinkClaim.standing` says, in SQL
_EARLIER = (
    "(excluded.weak, excluded.tie LIKE 'import:%%', excluded.first_at, excluded.tie)"
    " < (l.weak, l.tie LIKE 'import:%%', l.first_at, l.tie)"
)
_WRITE_LINKS = f"""
INSERT INTO profiles_identitylink AS l (low_id, high_id, first_at, tie, weak, manual, source_id)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::bool[], %s::bool[], %s::bigint[])
ON CONFLICT (low_id, high_id) DO UPDATE SET
    tie = CASE WHEN {_EARLIER} THEN excluded.tie ELSE l.tie END,
    first_at = CASE WHEN {_EARLIER} THEN excluded.first_at ELSE l.first_at END,
    weak = l.weak AND excluded.weak,
    manual = l.manual OR excluded.manual,
    source_id = CASE WHEN {_EARLIER} THEN excluded.source_id ELSE l.source_id END
RETURNING low_id, high_id, id
"""


def _write_links(links: Mapping[tuple[int, int], LinkClaim]) -> dict[tuple[int, int], int]:
    """Write what is claimed of links, sorted by their ends; return the id of each. They are held no more."""
    if not links:
        return {}
    rows = sorted(links.items())
    lows, highs = numbers(ends[0] for ends, _ in rows), numbers(ends[1] for ends, _ in rows)
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE_LINKS,
            [
                lows,
                highs,
                moments(claim.at for _, claim in rows),
                texts(claim.tie for _, claim in rows),
                flags(claim.weak for _, claim in rows),
                flags(claim.manual for _, claim in rows),
                numbers(claim.source_id for _, claim in rows),
            ],
        )
        written = {(low, high): id for low, high, id in cursor.fetchall()}
        cursor.execute(
            "DELETE FROM profiles_heldlink h USING unnest(%s::bigint[], %s::bigint[]) AS n(low, high)"
            " WHERE h.low_id = n.low AND h.high_id = n.high",
            [lows, highs],
        )
        return written


def _copy_links(plan: Plan, created: Mapping[Pair, IdentifierRow]) -> None:
    """Write links that nobody else can know of."""
    lines = []
    for one, other, claim in plan.fresh_links:
        low, high = _ids(created, (one, other))
        source = NULL if claim.source_id is None else claim.source_id
        lines.append(f"{low}\t{high}\t{copy_time(claim.at)}\t{claim.tie}\t{claim.weak}\t{claim.manual}\t{source}\n")
    copy_lines("COPY profiles_identitylink (low_id, high_id, first_at, tie, weak, manual, source_id) FROM STDIN", lines)


def _hold_links(links: Mapping[tuple[int, int], LinkClaim]) -> None:
    """Remember links that were not weighed, so that the same claim is no news."""
    if not links:
        return
    rows = sorted(links.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_heldlink AS h (low_id, high_id, at, weak, source_id)"
            " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bool[], %s::bigint[])"
            " ON CONFLICT (low_id, high_id) DO UPDATE SET weak = h.weak AND excluded.weak",
            [
                numbers(ends[0] for ends, _ in rows),
                numbers(ends[1] for ends, _ in rows),
                moments(claim.at for _, claim in rows),
                flags(claim.weak for _, claim in rows),
                numbers(claim.source_id for _, claim in rows),
            ],
        )


# Moves, merges, reviews --------------------------------------------------------------------------------------------
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
    ids, to = numbers(move.identifier_id for move in moves), numbers(move.to_profile_id for move in moves)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE profiles_identifier i SET profile_id = n.profile_id "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS n(id, profile_id) WHERE i.id = n.id",
            [ids, to],
        )
        cursor.execute(_MOVE_INTERACTIONS, [ids, numbers(move.from_profile_id for move in moves), to])
        if plan.repointed:
            ordered = sorted(plan.repointed.items())
            cursor.execute(
                "UPDATE profiles_profile p SET merged_into_id = n.target "
                "FROM unnest(%s::bigint[], %s::bigint[]) AS n(id, target) WHERE p.id = n.id",
                [numbers(id for id, _ in ordered), numbers(target for _, target in ordered)],
            )
        if plan.unmerged:
            unmerged = numbers(sorted(plan.unmerged))
            cursor.execute("UPDATE profiles_profile SET merged_into_id = NULL WHERE id = ANY(%s::bigint[])", [unmerged])
            cursor.execute(
                "UPDATE profiles_merge SET state = 'undone', undone_at = %s "
                "WHERE loser_id = ANY(%s::bigint[]) AND state = 'done'",
                [datetime.now(UTC), unmerged],
            )


def _note_merges(plan: Plan, link_ids: Mapping[tuple[int, int], int], by: int | None) -> None:
    if not plan.merges:
        return
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO profiles_merge (winner_id, loser_id, link_id, cause, state, moved, at, by_id) "
            "VALUES (%s, %s, %s, %s, 'done', %s::jsonb, %s, %s)",
            [
                (
                    merge.winner_id,
                    merge.loser_id,
                    next((id for ends, id in link_ids.items() if _crosses(ends, merge.moved)), None),
                    plan.cause,
                    _encode({"identifiers": merge.moved, "kept": merge.kept}).decode(),
                    now,
                    by,
                )
                for merge in plan.merges
            ],
        )
        # What waited for review and is now one person needs no review any more.
        cursor.execute(
            "DELETE FROM profiles_merge WHERE state = 'quarantined' AND (winner_id, loser_id) IN "
            "(SELECT * FROM unnest(%s::bigint[], %s::bigint[]))",
            [
                numbers(merge.winner_id for merge in plan.merges),
                numbers(merge.loser_id for merge in plan.merges),
            ],
        )


def _crosses(ends: tuple[int, int], moved: tuple[int, ...]) -> bool:
    return (ends[0] in moved) != (ends[1] in moved)


def _note_reviews(plan: Plan, everybody: Mapping[Pair, IdentifierRow]) -> None:
    if not plan.reviews:
        return
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO profiles_merge (winner_id, loser_id, link_id, cause, state, moved, at) "
            "VALUES (%s, %s, (SELECT id FROM profiles_identitylink WHERE low_id = %s AND high_id = %s), %s,"
            " 'quarantined', '{}', %s) ON CONFLICT DO NOTHING",
            [
                (
                    min(review.one_id, review.other_id),
                    max(review.one_id, review.other_id),
                    *_ids(everybody, review.ends),
                    review.cause,
                    now,
                )
                for review in sorted(plan.reviews, key=lambda review: review.ends)
            ],
        )
