"""The bodies behind rows of the inbox, and how many of them make a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from cdp.common.arrays import moments, numbers

#: bodies of one block, in bytes: some 2,000 usual events; bounds the memory of a worker
MAX_BLOCK_BYTES = 1_500_000
MAX_BLOCK_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the inbox."""

    raw_id: int
    received_at: datetime
    source_id: int


@dataclass(frozen=True, slots=True)
class RawBody:
    """A body as it was received."""

    entry: Entry
    endpoint: str
    body: bytes


def fitting(entries: Sequence[Entry]) -> list[Entry]:
    """Return the first entries whose bodies together stay within a block; at least one."""
    if not entries:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id, octet_length(r.body) FROM profiles_rawmessage r"
            " JOIN unnest(%s::timestamptz[], %s::bigint[]) AS n(received_at, id)"
            " ON r.received_at = n.received_at AND r.id = n.id"
            " WHERE r.received_at BETWEEN %s AND %s",
            _place(entries),
        )
        sizes = dict(cursor.fetchall())
    total = 0
    for number, entry in enumerate(entries):
        total += sizes.get(entry.raw_id, 0)
        if total > MAX_BLOCK_BYTES and number:
            return list(entries[:number])
    return list(entries)


def load_bodies(entries: Sequence[Entry]) -> list[RawBody]:
    """Return the bodies, in the order of the entries; a body that retention removed is left out."""
    if not entries:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id, r.endpoint, r.body FROM profiles_rawmessage r"
            " JOIN unnest(%s::timestamptz[], %s::bigint[]) AS n(received_at, id)"
            " ON r.received_at = n.received_at AND r.id = n.id"
            " WHERE r.received_at BETWEEN %s AND %s",
            _place(entries),
        )
        found = {row[0]: (row[1], bytes(row[2])) for row in cursor.fetchall()}
    return [RawBody(entry, *found[entry.raw_id]) for entry in entries if entry.raw_id in found]


def _place(entries: Sequence[Entry]) -> list[Any]:
    times = [entry.received_at for entry in entries]
    return [moments(times), numbers(entry.raw_id for entry in entries), min(times), max(times)]
