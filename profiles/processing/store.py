"""Write what a block brings that is not identity: interactions by COPY, seen ids, rejections, counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from cdp.common.arrays import binaries, moments, numbers, texts
from cdp.common.copying import copy_json, copy_lines, copy_text
from profiles.keyring import key_ring
from profiles.messages.model import Pair
from profiles.models import RawIdentifier
from profiles.processing.claim import Entry

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class SeenKey:
    """A message id that is about to count."""

    key: bytes
    digest: bytes
    received_at: datetime


@dataclass(slots=True)
class Tally:
    """Messages of a source in an hour; received = stored + duplicate + rejected + erased."""

    stored: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    erased: int = 0


def count_once(keys: Sequence[SeenKey]) -> tuple[set[bytes], dict[bytes, bytes]]:
    """Claim message ids for this transaction; return (new keys, {known key: digest of the payload that counted}).

    Sorted, so that two workers with overlapping blocks wait for each other instead of deadlocking; whoever waits
    sees the other's ids as known once that one has committed.
    """
    if not keys:
        return set(), {}
    ordered = sorted(keys, key=lambda item: item.key)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_seenmessage (key, payload_digest, received_at) "
            "SELECT * FROM unnest(%s::uuid[], %s::bytea[], %s::timestamptz[]) ON CONFLICT DO NOTHING RETURNING key",
            [
                texts(item.key.hex() for item in ordered),
                binaries(item.digest for item in ordered),
                moments(item.received_at for item in ordered),
            ],
        )
        new = {row[0].bytes for row in cursor.fetchall()}
        if len(new) == len(ordered):
            return new, {}
        cursor.execute(
            "SELECT key, payload_digest FROM profiles_seenmessage WHERE key = ANY(%s::uuid[])",
            [texts(item.key.hex() for item in ordered if item.key not in new)],
        )
        return new, {row[0].bytes: bytes(row[1]) for row in cursor.fetchall()}


_COPY = (
    "COPY profiles_interaction (profile_id, identifier_id, occurred_at, received_at, kind, name, properties, context,"
    " source_id, message_id) FROM STDIN"
)


_COPY_NAMES = "COPY profiles_rawidentifier (received_at, raw_id, digest) FROM STDIN"


def copy_interactions(lines: Sequence[str]) -> None:
    """Write interactions; every line comes from `interaction_line`."""
    copy_lines(_COPY, lines)


def interaction_line(
    profile_id: int,
    identifier_id: int,
    occurred_at: datetime,
    received_at: str,
    kind: str,
    name: str,
    properties: Any,
    context: Any,
    source_id: int,
    message_id: str,
) -> str:
    """Return one line for COPY."""
    return (
        f"{profile_id}\t{identifier_id}\t{occurred_at.isoformat()}\t{received_at}\t{kind}\t{copy_text(name)}\t"
        f"{copy_json(properties)}\t{copy_json(context)}\t{source_id}\t{copy_text(message_id)}\n"
    )


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A line of the rejected list."""

    source_id: int
    received_at: datetime
    raw_id: int
    position: int
    message_id: str
    code: str
    params: Mapping[str, Any]
    payload: Any
    names: frozenset[Pair] = frozenset()
    readable: bool = True


def write_rejected(rows: Sequence[RejectedRow]) -> None:
    """Put messages on the rejected list, with their reasons."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_rejectedmessage (source_id, received_at, raw_id, position, message_id, code, params,"
            " payload, names, resolution) SELECT source_id, received_at, raw_id, position, message_id, code, params,"
            " payload, names::bigint[], '' FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::int[],"
            " %s::text[], %s::text[], %s::jsonb[], %s::jsonb[], %s::text[])"
            " AS n(source_id, received_at, raw_id, position, message_id, code, params, payload, names)",
            [
                numbers(row.source_id for row in rows),
                moments(row.received_at for row in rows),
                numbers(row.raw_id for row in rows),
                numbers(row.position for row in rows),
                texts(row.message_id[:128] for row in rows),
                texts(row.code[:40] for row in rows),
                texts(_encode(row.params).decode() for row in rows),
                texts(_encode(row.payload).decode() for row in rows),
                texts(numbers(name_digests(row.names, readable=row.readable)) for row in rows),
            ],
        )


def name_digests(names: Iterable[Pair], *, readable: bool = True) -> set[int]:
    """Return the digests under which it is noted whom something names."""
    ring = key_ring()
    return {ring.short(kind, value) for kind, value in names} if readable else {RawIdentifier.UNREADABLE}


def note_names(rows: Iterable[tuple[datetime, int, int]]) -> None:
    """Note whom bodies name: (received at, raw id, digest)."""
    lines = [f"{received_at.isoformat()}\t{raw_id}\t{digest}\n" for received_at, raw_id, digest in rows]
    if lines:
        copy_lines(_COPY_NAMES, lines)


def rewrite_bodies(bodies: Iterable[tuple[Entry, bytes | None]]) -> None:
    """Replace stored bodies, and forget from where they came; None leaves one as it is."""
    with connection.cursor() as cursor:
        for entry, body in bodies:
            if body is not None:
                cursor.execute(
                    "UPDATE profiles_rawmessage SET body = %s, ip = NULL, user_agent = ''"
                    " WHERE received_at = %s AND id = %s",
                    [body, entry.received_at, entry.raw_id],
                )


def add_to_counters(tallies: Mapping[tuple[int, datetime], Tally]) -> None:
    """Add a block's counts to the counters of its sources and hours."""
    if not tallies:
        return
    rows = sorted(tallies.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_sourcecounter AS c"
            " (source_id, hour, received, stored, duplicate, conflicting, rejected, erased)"
            " SELECT source_id, hour, stored + duplicate + rejected + erased, stored, duplicate, conflicting, rejected,"
            " erased FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[],"
            " %s::bigint[], %s::bigint[])"
            " AS n(source_id, hour, stored, duplicate, conflicting, rejected, erased)"
            " ON CONFLICT (source_id, hour) DO UPDATE SET received = c.received + excluded.received,"
            " stored = c.stored + excluded.stored, duplicate = c.duplicate + excluded.duplicate,"
            " conflicting = c.conflicting + excluded.conflicting, rejected = c.rejected + excluded.rejected,"
            " erased = c.erased + excluded.erased",
            [
                [key[0] for key, _ in rows],
                [key[1] for key, _ in rows],
                [tally.stored for _, tally in rows],
                [tally.duplicate for _, tally in rows],
                [tally.conflicting for _, tally in rows],
                [tally.rejected for _, tally in rows],
                [tally.erased for _, tally in rows],
            ],
        )
