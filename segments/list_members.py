"""Who is in a list that is kept by hand: the entries, and the memberships that follow from them.

An entry names the profile it was said of; the membership belongs to whoever that profile now is. Every write locks the
people first, then the lists in the order of their ids, so that a merge and whoever fills a list never wait for each
other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from cdp.common.arrays import numbers
from profiles.feed import NOTE
from segments.models import Segment

_STANDING = """
SELECT id, merged_into_id IS NOT NULL OR erased_at IS NOT NULL, restricted_at IS NOT NULL
FROM profiles_profile WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""
_ENTER = f"""
WITH entered AS (
    INSERT INTO segments_membership (profile_id, segment_id, since)
    SELECT id, %(segment)s, %(now)s FROM unnest(%(people)s::bigint[]) AS id ORDER BY id
    ON CONFLICT (profile_id, segment_id) DO NOTHING RETURNING profile_id
), said AS (
    INSERT INTO segments_listentry (profile_id, segment_id, at, cause, actor, reference)
    SELECT profile_id, %(segment)s, %(now)s, %(cause)s, %(actor)s, %(reference)s FROM entered
    ON CONFLICT (profile_id, segment_id) DO NOTHING
), told AS ({NOTE} SELECT profile_id FROM entered)
INSERT INTO segments_membershipchange (profile_id, segment_id, entered, at, cause, actor)
SELECT profile_id, %(segment)s, true, %(now)s, %(cause)s, %(actor)s FROM entered ORDER BY profile_id
RETURNING profile_id
"""
# Whoever was put in as one of the people whom somebody is now goes out with all of those.
_LEAVE = f"""
WITH gone AS (
    DELETE FROM segments_membership WHERE segment_id = %(segment)s AND profile_id = ANY(ARRAY(
        SELECT coalesce(merged_into_id, id) FROM profiles_profile WHERE id = ANY(%(people)s::bigint[])))
    RETURNING profile_id
), forgotten AS (
    DELETE FROM segments_listentry WHERE segment_id = %(segment)s AND profile_id IN (
        SELECT profile_id FROM gone
        UNION ALL SELECT id FROM profiles_profile WHERE merged_into_id IN (SELECT profile_id FROM gone))
), told AS ({NOTE} SELECT profile_id FROM gone)
INSERT INTO segments_membershipchange (profile_id, segment_id, entered, at, cause, actor)
SELECT profile_id, %(segment)s, false, %(now)s, %(cause)s, %(actor)s FROM gone ORDER BY profile_id
RETURNING profile_id
"""
_CLEAR = f"""
WITH forgotten AS (DELETE FROM segments_listentry WHERE segment_id = %(segment)s),
gone AS (DELETE FROM segments_membership WHERE segment_id = %(segment)s RETURNING profile_id),
told AS ({NOTE} SELECT profile_id FROM gone)
INSERT INTO segments_membershipchange (profile_id, segment_id, entered, at, cause, actor)
SELECT profile_id, %(segment)s, false, %(now)s, %(cause)s, %(actor)s FROM gone ORDER BY profile_id
RETURNING profile_id
"""
_RESIZE = """
UPDATE segments_segment s SET member_count = s.member_count + d.delta, refreshed_at = %s
FROM unnest(%s::bigint[], %s::bigint[]) AS d (id, delta) WHERE s.id = d.id
"""
_CONCERNED = """
SELECT DISTINCT e.segment_id FROM segments_listentry e WHERE e.profile_id = ANY(%(people)s::bigint[])
    OR e.profile_id IN (SELECT id FROM profiles_profile WHERE merged_into_id = ANY(%(people)s::bigint[]))
UNION SELECT m.segment_id FROM segments_membership m JOIN segments_segment s ON s.id = m.segment_id
WHERE s.kind = 'static' AND m.profile_id = ANY(%(people)s::bigint[])
"""
# Reads both sides and writes the difference; whoever is gone without a trace is in no list either.
_FOLLOW = f"""
WITH known AS (
    SELECT id, coalesce(merged_into_id, id) AS person FROM profiles_profile
    WHERE id = ANY(%(people)s::bigint[]) OR merged_into_id = ANY(%(people)s::bigint[])
), orphaned AS (
    DELETE FROM segments_listentry e WHERE e.profile_id = ANY(%(people)s::bigint[])
      AND NOT EXISTS (SELECT FROM profiles_profile p WHERE p.id = e.profile_id)
), wanted AS (
    SELECT e.segment_id, known.person AS profile_id, min(e.at) AS since
    FROM segments_listentry e JOIN known ON known.id = e.profile_id GROUP BY 1, 2
), held AS (
    SELECT segment_id, profile_id FROM segments_membership
    WHERE segment_id = ANY(%(segments)s::bigint[])
      AND (profile_id = ANY(%(people)s::bigint[]) OR profile_id IN (SELECT person FROM known))
), moved AS (
    SELECT coalesce(w.segment_id, h.segment_id) AS segment_id, coalesce(w.profile_id, h.profile_id) AS profile_id,
           w.since, h.profile_id IS NULL AS entered
    FROM wanted w FULL JOIN held h ON h.segment_id = w.segment_id AND h.profile_id = w.profile_id
    WHERE w.profile_id IS NULL OR h.profile_id IS NULL
), gone AS (
    DELETE FROM segments_membership m USING moved
    WHERE NOT moved.entered AND m.segment_id = moved.segment_id AND m.profile_id = moved.profile_id
), come AS (
    INSERT INTO segments_membership (profile_id, segment_id, since)
    SELECT profile_id, segment_id, since FROM moved WHERE entered ORDER BY profile_id, segment_id
    ON CONFLICT (profile_id, segment_id) DO NOTHING
), told AS ({NOTE} SELECT DISTINCT profile_id FROM moved)
INSERT INTO segments_membershipchange (profile_id, segment_id, entered, at, cause)
SELECT profile_id, segment_id, entered, %(now)s, %(cause)s FROM moved ORDER BY profile_id, segment_id
RETURNING segment_id, entered
"""


@dataclass(frozen=True)
class Standing:
    """Who of some people can be put in a list: ids of profiles."""

    able: set[int]
    unknown: set[int]
    restricted: set[int]


@dataclass(frozen=True)
class Told:
    """What became of people who were to be in a list: ids of profiles."""

    added: set[int] = field(default_factory=set)
    already: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)  # erased, merged into another, or never there
    restricted: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Why a list changes, by whom (`actor_label`), and of what it is a part (`import:12`)."""

    cause: str
    actor: str = ""
    reference: str = ""


def stand(profile_ids: Collection[int]) -> Standing:
    """Lock people until the transaction ends, and tell who of them can be put in a list."""
    people = sorted(set(profile_ids))
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [numbers(people)])
        known = {id: (gone, restricted) for id, gone, restricted in cursor.fetchall()}
    unknown = {id for id in people if id not in known or known[id][0]}
    restricted = {id for id in people if id not in unknown and known[id][1]}
    return Standing(set(people) - unknown - restricted, unknown, restricted)


def enter(segment: Segment, people: Standing, deed: Deed, now: datetime) -> Told:
    """Put people in. Call it in the transaction in which they stand, with the list locked after that."""
    with connection.cursor() as cursor:
        cursor.execute(_ENTER, _params(segment, sorted(people.able), deed, now))
        added = {row[0] for row in cursor.fetchall()}
    resize({segment.pk: len(added)}, now)
    inside = _inside(segment, people.restricted)  # somebody restricted later on stays listed
    return Told(added, people.able - added | inside, people.unknown, people.restricted - inside)


def leave(segment: Segment, profile_ids: Collection[int], deed: Deed, now: datetime) -> set[int]:
    """Take people out; return those who were in. Call it in a transaction, the list locked."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE, _params(segment, sorted(set(profile_ids)), deed, now))
        gone = {row[0] for row in cursor.fetchall()}
    resize({segment.pk: -len(gone)}, now)
    return gone


def empty(segment: Segment, deed: Deed, now: datetime) -> list[int]:
    """Take everybody out; return who was in. Call it in a transaction, the list locked."""
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, _params(segment, [], deed, now))
        gone = [row[0] for row in cursor.fetchall()]
    resize({segment.pk: -len(gone)}, now)
    return gone


def follow(profile_ids: Collection[int], *, cause: str, now: datetime) -> None:
    """Give each list the people that its entries now mean, after merges, their undoing, and removals.

    Call it in the transaction of the change, in which the people are locked.
    """
    people = numbers(sorted(set(profile_ids)))
    with connection.cursor() as cursor:
        cursor.execute(_CONCERNED, {"people": people})
        segments = sorted(row[0] for row in cursor.fetchall())
        if not segments:
            return
        lock_lists(segments)
        cursor.execute(_FOLLOW, {"people": people, "segments": numbers(segments), "cause": cause, "now": now})
        moved = cursor.fetchall()
    sizes = dict.fromkeys(segments, 0)
    for segment_id, entered in moved:
        sizes[segment_id] += 1 if entered else -1
    resize(sizes, now)


def forget(profile_ids: Sequence[int]) -> int:
    """Delete the entries of these profiles; return how many there were."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM segments_listentry WHERE profile_id = ANY(%s::bigint[])", [numbers(profile_ids)])
        return int(cursor.rowcount)


def forget_entries(segment_id: int) -> None:
    """Delete all entries of a list."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM segments_listentry WHERE segment_id = %s", [segment_id])


def lock_lists(segment_ids: Collection[int]) -> None:
    """Hold these lists until the transaction ends, so that their sizes stay true."""
    rows = Segment.objects.filter(pk__in=segment_ids).order_by("pk").select_for_update(no_key=True)
    list(rows.values_list("pk", flat=True))


def resize(sizes: dict[int, int], now: datetime) -> None:
    """Note how many came and went of each list, and that it is right as of now."""
    with connection.cursor() as cursor:
        cursor.execute(_RESIZE, [now, numbers(sizes), numbers(sizes.values())])


def _inside(segment: Segment, profile_ids: Collection[int]) -> set[int]:
    if not profile_ids:
        return set()
    found = segment.memberships.filter(profile_id__in=profile_ids)
    return set(found.values_list("profile_id", flat=True))


def _params(segment: Segment, people: Sequence[int], deed: Deed, now: datetime) -> dict[str, Any]:
    return {
        "segment": segment.pk,
        "people": numbers(people),
        "now": now,
        "cause": deed.cause,
        "actor": deed.actor,
        "reference": deed.reference,
    }
