"""The rows behind identity: look-ups and writes of identifiers, links and joins, each one statement for all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connection

from cdp.common.arrays import bulk_cursor, flags, moments, numbers, texts
from profiles.identity.graph import MAX_SHARED

if TYPE_CHECKING:
    from profiles.resolution.plan import Plan

Pair = tuple[str, str]  # (kind, value)
#: links of one identifier that are followed, the earliest first
MAX_LINKS = 500


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    """An identifier as stored. `anchored` is the profile that came to life with it."""

    id: int
    kind: str
    value: str
    profile_id: int
    trusted: bool
    anchored: int | None

    def moved_to(self, profile_id: int) -> IdentifierRow:
        """Return the row as it is after a move."""
        return replace(self, profile_id=profile_id)


@dataclass(slots=True)
class Seen:
    """When an identifier was seen, and whether a trusted source assertions it."""

    first: datetime
    last: datetime
    trusted: bool
    source_id: int | None

    def add(self, at: datetime, trusted: bool) -> None:
        """Fold one more observation in."""
        if at < self.first:
            self.first = at
        elif at > self.last:
            self.last = at
        self.trusted = self.trusted or trusted


@dataclass(frozen=True, slots=True)
class LinkClaim:
    """What is claimed of a link now."""

    at: datetime
    tie: str
    weak: bool
    manual: bool
    source_id: int | None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link as stored."""

    id: int
    low: int
    high: int
    at: datetime
    tie: str
    weak: bool
    manual: bool
    denied: bool

    def improved_by(self, claim: LinkClaim) -> bool:
        """Tell whether what is claimed now changes the link: earlier, or more surely than before."""
        return (
            (claim.at, claim.tie) < (self.at, self.tie)
            or (self.weak and not claim.weak)
            or (claim.manual and not self.manual)
        )


def earliest(one: LinkClaim, other: LinkClaim) -> LinkClaim:
    """Return what two messages together say of a link; the order does not matter."""
    first = min(one, other, key=lambda claim: (claim.at, claim.tie))
    return replace(first, weak=one.weak and other.weak, manual=one.manual or other.manual)


@dataclass(slots=True)
class Closure:
    """Every identifier that can be reached over links, and those links."""

    identifiers: dict[int, IdentifierRow]
    links: dict[tuple[int, int], LinkRow]

    def profile_ids(self) -> set[int]:
        """Return the profiles of all of them, and those that they anchored."""
        rows = self.identifiers.values()
        return {row.profile_id for row in rows} | {row.anchored for row in rows if row.anchored is not None}

    def signature(self) -> tuple[Any, ...]:
        """Return what must be unchanged between the look-up and the lock."""
        return (frozenset(self.identifiers.values()), frozenset(self.links.values()))


_COLUMNS = "i.id, i.kind, i.value, i.profile_id, i.trusted, i.anchored_profile_id"


def find_identifiers(pairs: Collection[Pair]) -> dict[Pair, IdentifierRow]:
    """Return the stored identifiers among those asked for."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM unnest(%s::text[], %s::text[]) AS asked(kind, value) "
            "JOIN profiles_identifier i ON i.kind = asked.kind AND i.value = asked.value",
            [texts(kind for kind, _value in pairs), texts(value for _kind, value in pairs)],
        )
        return {(row[1], row[2]): IdentifierRow(*row) for row in cursor.fetchall()}


def current_profiles(ids: list[int]) -> dict[int, int]:
    """Return the profile of each identifier, as of now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, profile_id FROM profiles_identifier WHERE id = ANY(%s::bigint[])", [numbers(ids)])
        return dict(cursor.fetchall())


_LINK = "id, low_id, high_id, first_at, tie, weak, manual, denied_at IS NOT NULL"


def find_links(ends: Iterable[tuple[int, int]]) -> dict[tuple[int, int], LinkRow]:
    """Return the stored links between pairs of identifier ids."""
    ordered = [(min(pair), max(pair)) for pair in ends]
    if not ordered:
        return {}
    with bulk_cursor() as cursor:
        cursor.execute(
            f"SELECT {_LINK} FROM profiles_identitylink WHERE (low_id, high_id) IN "
            "(SELECT * FROM unnest(%s::bigint[], %s::bigint[]))",
            [numbers(low for low, _high in ordered), numbers(high for _low, high in ordered)],
        )
        return {(row[1], row[2]): LinkRow(*row) for row in cursor.fetchall()}


_LINKS_OF = f"""
SELECT l.* FROM unnest(%s::bigint[]) AS asked(id), LATERAL (
    (SELECT {_LINK} FROM profiles_identitylink WHERE low_id = asked.id ORDER BY first_at, tie LIMIT {MAX_LINKS})
    UNION ALL
    (SELECT {_LINK} FROM profiles_identitylink WHERE high_id = asked.id ORDER BY first_at, tie LIMIT {MAX_LINKS})
) AS l
"""


def load_closure(ids: Iterable[int], most: int) -> Closure:
    """Return what can be reached from these identifiers, by rounds.

    An identifier that far too many others share joins nobody (see the partition), so it is not followed further.
    """
    closure = Closure({}, {})
    frontier = sorted(set(ids))
    limit = most + len(frontier) * 20
    while frontier and len(closure.identifiers) < limit:
        asked = numbers(frontier)
        with bulk_cursor() as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM profiles_identifier i WHERE i.id = ANY(%s::bigint[])", [asked])
            closure.identifiers.update((row[0], IdentifierRow(*row)) for row in cursor.fetchall())
            cursor.execute(_LINKS_OF, [asked])
            # A link between two of those asked for comes from both ends; it counts once.
            links = [LinkRow(*row) for row in set(cursor.fetchall())]
        degree: dict[int, int] = {}
        for link in links:
            closure.links[(link.low, link.high)] = link
            if not link.weak and not link.manual and not link.denied:
                degree[link.low] = degree.get(link.low, 0) + 1
                degree[link.high] = degree.get(link.high, 0) + 1
        followed = (
            {
                id
                for id in frontier
                if not (closure.identifiers[id].kind == "anonymous_id" and degree.get(id, 0) > MAX_SHARED)
            }
            if all(id in closure.identifiers for id in frontier)
            else set(closure.identifiers) & set(frontier)
        )
        reached = {
            end for link in links for end in (link.low, link.high) if link.low in followed or link.high in followed
        }
        frontier = sorted(reached - closure.identifiers.keys())
    closure.links = {
        ends: link
        for ends, link in closure.links.items()
        if ends[0] in closure.identifiers and ends[1] in closure.identifiers
    }
    return closure


def lock_profiles(ids: Collection[int]) -> None:
    """Lock these profiles in id order until the transaction ends."""
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM profiles_profile WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
                [numbers(sorted(ids))],
            )


def next_profile_ids(count: int) -> list[int]:
    """Take ids for profiles that will be written by `profiles.resolution.profiles`."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('profiles_profile_id_seq') FROM generate_series(1, %s)", [count])
        return [id for (id,) in cursor.fetchall()]


def insert_identifiers(plan: Plan, assertions: Mapping[Pair, Any]) -> dict[Pair, IdentifierRow]:
    """Write the new identifiers, sorted by value; return them. Fewer come back when somebody else was faster."""
    if not plan.new:
        return {}
    new = sorted(plan.new.items())
    encode = msgspec.json.encode
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_identifier (kind, value, profile_id, anchored_profile_id, trusted, source_id,"
            " first_seen_at, last_seen_at, assertions) SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[],"
            " %s::bigint[], %s::bool[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::jsonb[]) "
            f"ON CONFLICT (kind, value) DO NOTHING RETURNING {_COLUMNS.replace('i.', '')}",
            [
                texts(pair[0] for pair, _ in new),
                texts(pair[1] for pair, _ in new),
                numbers(item.profile_id for _, item in new),
                numbers(item.anchored for _, item in new),
                flags(item.seen.trusted for _, item in new),
                numbers(item.seen.source_id for _, item in new),
                moments(item.seen.first for _, item in new),
                moments(item.seen.last for _, item in new),
                texts(encode(assertions[pair]).decode() if pair in assertions else "{}" for pair, _ in new),
            ],
        )
        return {(row[1], row[2]): IdentifierRow(*row) for row in cursor.fetchall()}


def trust_identifiers(ids: Collection[int]) -> None:
    """Note that a trusted source gave these identifiers too."""
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE profiles_identifier SET trusted = true WHERE id = ANY(%s::bigint[])", [numbers(sorted(ids))]
            )


def write_links(links: Mapping[tuple[int, int], LinkClaim]) -> dict[tuple[int, int], int]:
    """Write what is claimed of links, sorted by their ends; return the id of each."""
    if not links:
        return {}
    rows = sorted(links.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_identitylink AS l (low_id, high_id, first_at, tie, weak, manual, source_id) "
            "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::bool[], %s::bool[],"
            " %s::bigint[]) ON CONFLICT (low_id, high_id) DO UPDATE SET"
            " tie = CASE WHEN (excluded.first_at, excluded.tie) < (l.first_at, l.tie) THEN excluded.tie ELSE l.tie END,"
            " first_at = least(l.first_at, excluded.first_at), weak = l.weak AND excluded.weak,"
            " manual = l.manual OR excluded.manual RETURNING low_id, high_id, id",
            [
                numbers(ends[0] for ends, _ in rows),
                numbers(ends[1] for ends, _ in rows),
                moments(claim.at for _, claim in rows),
                texts(claim.tie for _, claim in rows),
                flags(claim.weak for _, claim in rows),
                flags(claim.manual for _, claim in rows),
                numbers(claim.source_id for _, claim in rows),
            ],
        )
        return {(low, high): id for low, high, id in cursor.fetchall()}
