"""The rows behind identity, and the look-ups of identifiers and links: each one statement for all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from cdp.common.arrays import bulk_cursor, numbers, texts

Pair = tuple[str, str]  # (kind, value)


class IdentifierRow(NamedTuple):
    """An identifier as stored. `anchored` is the profile that came to life with it; see the model for the rest."""

    id: int
    kind: str
    value: str
    profile_id: int
    trusted_at: datetime | None
    tied: bool
    in_use: bool
    anchored: int | None

    def moved_to(self, profile_id: int) -> IdentifierRow:
        """Return the row as it is after a move."""
        return self._replace(profile_id=profile_id)


@dataclass(slots=True)
class Seen:
    """What observations say of an identifier.

    Since when it is known, when the person was last active under it (None: not here), since when a trusted source gives
    it, and whether anything hangs on it.
    """

    first: datetime
    last: datetime | None
    trusted_at: datetime | None
    source_id: int | None
    in_use: bool

    def add(self, at: datetime, active: bool, trusted: bool, in_use: bool) -> None:
        """Fold one more observation in."""
        self.first = min(self.first, at)
        if active and (self.last is None or at > self.last):
            self.last = at
        if trusted and (self.trusted_at is None or at < self.trusted_at):
            self.trusted_at = at
        self.in_use = self.in_use or in_use

    def vouches_for(self, row: IdentifierRow) -> bool:
        """Tell whether a trusted source gives the identifier for the first time, or earlier than was known."""
        return self.trusted_at is not None and (row.trusted_at is None or self.trusted_at < row.trusted_at)


class LinkClaim(NamedTuple):
    """What is claimed of a link now."""

    at: datetime
    tie: str
    weak: bool
    manual: bool
    source_id: int | None

    @property
    def standing(self) -> tuple[bool, bool, datetime, str]:
        """Return what decides which of several claims a link keeps; the lower is the better.

        A public key cannot date back what a trusted source says; and what a file says gives way to what a source says
        by itself, so that the undo of an import takes nothing else away.
        """
        return self.weak, is_of_file(self.tie), self.at, self.tie


class LinkRow(NamedTuple):
    """A link as stored. `held`: too many hang together there for it to be weighed; it waits for review."""

    low: int
    high: int
    at: datetime
    tie: str
    weak: bool
    manual: bool
    denied: bool
    held: bool = False

    def improved_by(self, claim: LinkClaim) -> bool:
        """Tell whether what is claimed now changes the link: more surely than before, or earlier."""
        if self.held:
            return claim.manual or (self.weak and not claim.weak)
        mine = (self.weak, is_of_file(self.tie), self.at, self.tie)
        return claim.standing < mine or (claim.manual and not self.manual)


def is_of_file(tie: str) -> bool:
    """Tell whether a claim is that of a contact file; see `profiles.importing.people.Provenance.tie`."""
    return tie.startswith("import:")


def stronger(one: LinkClaim, other: LinkClaim) -> LinkClaim:
    """Return what two messages together say of a link; the order does not matter."""
    first = min(one, other, key=lambda claim: claim.standing)
    return first._replace(manual=one.manual or other.manual)


COLUMNS = "i.id, i.kind, i.value, i.profile_id, i.trusted_at, i.tied, i.in_use, i.anchored_profile_id"


def find_identifiers(pairs: Collection[Pair]) -> dict[Pair, IdentifierRow]:
    """Return the stored identifiers among those asked for."""
    with bulk_cursor() as cursor:
        cursor.execute(
            f"SELECT {COLUMNS} FROM unnest(%s::text[], %s::text[]) AS asked(kind, value) "
            "JOIN profiles_identifier i ON i.kind = asked.kind AND i.value = asked.value",
            [texts(kind for kind, _value in pairs), texts(value for _kind, value in pairs)],
        )
        return {(row[1], row[2]): IdentifierRow._make(row) for row in cursor.fetchall()}


def current_profiles(ids: list[int]) -> dict[int, int]:
    """Return the profile of each identifier, as of now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, profile_id FROM profiles_identifier WHERE id = ANY(%s::bigint[])", [numbers(ids)])
        return dict(cursor.fetchall())


_FIND_LINKS = """
WITH asked AS MATERIALIZED (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS a(low, high))
SELECT l.low_id, l.high_id, l.first_at, l.tie, l.weak, l.manual, l.denied_at IS NOT NULL, false
FROM asked JOIN profiles_identitylink l ON l.low_id = asked.low AND l.high_id = asked.high
UNION ALL
SELECT h.low_id, h.high_id, h.at, '', h.weak, false, false, true
FROM asked JOIN profiles_heldlink h ON h.low_id = asked.low AND h.high_id = asked.high
"""


def find_links(ends: Iterable[tuple[int, int]]) -> dict[tuple[int, int], LinkRow]:
    """Return the stored links between pairs of identifier ids, those that are held too."""
    ordered = [(min(pair), max(pair)) for pair in ends]
    if not ordered:
        return {}
    with bulk_cursor() as cursor:
        cursor.execute(_FIND_LINKS, [numbers(low for low, _high in ordered), numbers(high for _low, high in ordered)])
        return {(row[0], row[1]): LinkRow._make(row) for row in cursor.fetchall()}


def lock_profiles(ids: Collection[int]) -> None:
    """Lock these profiles in id order until the transaction ends."""
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM profiles_profile WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
                [numbers(sorted(ids))],
            )
