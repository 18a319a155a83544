"""A group of request bodies as the parameters of one prepared INSERT, in PostgreSQL's binary form."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from struct import Struct, pack

PREPARED = b"klantbeeld_accept"
# ON CONFLICT makes the retry after a lost connection safe: if the first try had committed, the second does nothing
INSERT = b"""
WITH accepted AS (
    INSERT INTO profiles_rawmessage (id, received_at, source_id, endpoint, ip, user_agent, body)
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::text[], $5::inet[], $6::text[], $7::bytea[])
    ON CONFLICT DO NOTHING
    RETURNING id, received_at, source_id
)
INSERT INTO profiles_inbox (raw_id, received_at, source_id, attempts)
SELECT id, received_at, source_id, 0 FROM accepted
"""
_INT8, _TIMESTAMPTZ, _TEXT, _INET, _BYTEA = 20, 1184, 25, 869, 17
_ARRAYS = {_INT8: 1016, _TIMESTAMPTZ: 1185, _TEXT: 1009, _INET: 1041, _BYTEA: 1001}
#: types of the parameters
PARAMETERS = [_ARRAYS[kind] for kind in (_INT8, _TIMESTAMPTZ, _INT8, _TEXT, _INET, _TEXT, _BYTEA)]
_LENGTH = Struct("!i").pack
_NULL = _LENGTH(-1)
#: PostgreSQL counts microseconds from 2000-01-01
_EPOCH_2000 = 946_684_800


@dataclass(slots=True)
class Accepted:
    """A request body on its way into the database."""

    received_at: float  # seconds since 1970
    source_id: int
    endpoint: str
    ip: bytes | None
    user_agent: str
    body: bytes
    done: asyncio.Future[None]
    #: when its sender is answered at the latest (time.monotonic), and whether that was a "come again"
    deadline: float = 0.0
    given_up: bool = False


def _array(kind: int, items: list[bytes | None]) -> bytes:
    parts = [pack("!iiiii", 1, 1 if None in items else 0, kind, len(items), 1)]
    for item in items:
        if item is None:
            parts.append(_NULL)
        else:
            parts.append(_LENGTH(len(item)))
            parts.append(item)
    return b"".join(parts)


def _integers(kind: int, items: list[int]) -> bytes:
    flat = [8] * (2 * len(items))
    flat[1::2] = items
    return pack("!iiiii", 1, 0, kind, len(items), 1) + pack("!" + "iq" * len(items), *flat)


def encode_group(group: list[Accepted], ids: list[int]) -> list[bytes]:
    """Return the statement's seven parameters in PostgreSQL's binary form."""
    return [
        _integers(_INT8, ids),
        _integers(
            _TIMESTAMPTZ,
            [int((item.received_at - _EPOCH_2000) * 1_000_000) for item in group],
        ),
        _integers(_INT8, [item.source_id for item in group]),
        _array(_TEXT, [item.endpoint.encode() for item in group]),
        _array(_INET, [item.ip for item in group]),
        _array(_TEXT, [item.user_agent.encode("utf-8", "replace") for item in group]),
        _array(_BYTEA, [item.body for item in group]),
    ]
