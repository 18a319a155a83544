"""The group commit: whoever waits while one commit is under way shares the next one.

One thread, one connection, one statement a group. A prepared INSERT over binary arrays is one round trip and one
commit; COPY into both tables with BEGIN and COMMIT is six, and was slower at the group sizes that occur (20 to 300).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct, pack

import psycopg
from psycopg.pq import ExecStatus

logger = logging.getLogger(__name__)

MAX_GROUP_ROWS = 1000
MAX_GROUP_BYTES = 8 * 1024 * 1024
#: bodies waiting for a commit; above it the collector reads no more, so that a slow disk cannot fill the memory
MAX_WAITING_BYTES = 64 * 1024 * 1024
ID_BLOCK = 500
#: how long a group is retried across a restart of PostgreSQL before its senders are told to come back
RETRY_SECONDS = 1.5
STATEMENT_TIMEOUT_MS = 10_000

_PREPARED = b"klantbeeld_accept"
#: ON CONFLICT makes the retry after a lost connection safe: if the first try had committed, the second does nothing
_INSERT = b"""
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
_COLUMNS = (_INT8, _TIMESTAMPTZ, _INT8, _TEXT, _INET, _TEXT, _BYTEA)
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


class NotStored(Exception):
    """The group could not be committed; its senders must come again."""


class Writer(threading.Thread):
    """Commit what the event loop hands over, a group at a time, and report back to the loop."""

    def __init__(self, dsn: str, loop: asyncio.AbstractEventLoop, on_commit: Callable[[], None]) -> None:
        super().__init__(name="collector-writer", daemon=True)
        self._dsn = dsn
        self._loop = loop
        self._on_commit = on_commit
        self._waiting: list[Accepted] = []
        self.waiting_bytes = 0
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self._stopping = False
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._ids: list[int] = []
        self.groups = 0
        self.rows = 0

    # Called from the event loop ---------------------------------------------------------------------------------

    def submit(self, item: Accepted) -> None:
        """Queue a body; its future resolves after the commit, or fails with NotStored."""
        with self._lock:
            self._waiting.append(item)
            self.waiting_bytes += len(item.body)
        self._filled.set()

    def stop(self) -> None:
        """Finish what is waiting, then end. Join the thread afterwards."""
        self._stopping = True
        self._filled.set()

    # The thread --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Commit groups until told to stop and nothing is left."""
        while True:
            group = self._take()
            if not group:
                if self._stopping:
                    break
                self._filled.wait(1.0)
                continue
            error = self._commit(group)
            if error is None:
                self.groups += 1
                self.rows += len(group)
                self._on_commit()
            self._loop.call_soon_threadsafe(_resolve, group, error)
        self._disconnect()

    def _take(self) -> list[Accepted]:
        with self._lock:
            size = count = 0
            for item in self._waiting[:MAX_GROUP_ROWS]:
                size += len(item.body)
                if count and size > MAX_GROUP_BYTES:
                    size -= len(item.body)
                    break
                count += 1
            group, self._waiting = self._waiting[:count], self._waiting[count:]
            self.waiting_bytes -= size
            if not self._waiting:
                self._filled.clear()
                if self._stopping:
                    self._filled.set()
        return group

    def _commit(self, group: list[Accepted]) -> NotStored | None:
        deadline = time.monotonic() + RETRY_SECONDS
        ids: list[int] = []
        while True:
            try:
                ids = ids or self._next_ids(len(group))
                try:
                    self._insert(encode_group(group, ids))
                except psycopg.errors.CheckViolation:
                    self._make_days(group)
                    self._insert(encode_group(group, ids))
                return None
            except psycopg.Error as error:
                self._disconnect()
                if time.monotonic() > deadline or self._hopeless(error):
                    logger.error(
                        "%d requests could not be stored: %s",
                        len(group),
                        str(error).strip(),
                    )
                    return NotStored(str(error))
                time.sleep(0.05)

    @staticmethod
    def _hopeless(error: psycopg.Error) -> bool:
        """Tell whether trying again cannot help: the server answered, and its answer was no."""
        return not isinstance(error, psycopg.OperationalError)

    def _insert(self, parameters: list[bytes]) -> None:
        pgconn = self._connected().pgconn
        result = pgconn.exec_prepared(_PREPARED, parameters, [1] * len(parameters))
        if result.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)

    def _make_days(self, group: list[Accepted]) -> None:
        """Make the partitions of these bodies' days: nobody did for weeks, and events are not refused for that."""
        days = {datetime.fromtimestamp(item.received_at, UTC).date() for item in group}
        for day in sorted(days):
            name = f"profiles_rawmessage_d{day:%Y%m%d}"
            self._connected().execute(
                "SELECT profiles_make_partition('profiles_rawmessage', %s, %s, %s)",
                [name, day, day + timedelta(days=1)],
            )

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        if self._connection is None:
            connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=3,
                application_name="klantbeeld collector",
            )
            connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
            # A role or database whose default is `off` must not turn the 200 into a promise that nobody keeps.
            connection.execute("SET synchronous_commit = on")
            if connection.execute("SHOW fsync").fetchone() == ("off",):
                logger.error("PostgreSQL runs with fsync off: what is answered 200 can be lost with the power")
            result = connection.pgconn.prepare(_PREPARED, _INSERT, [_ARRAYS[kind] for kind in _COLUMNS])
            if result.status != ExecStatus.COMMAND_OK:
                error = psycopg.errors.error_from_result(result)
                connection.close()
                raise error
            self._connection = connection
        return self._connection

    def _next_ids(self, count: int) -> list[int]:
        while len(self._ids) < count:
            rows = self._connected().execute(
                "SELECT nextval('profiles_raw_id_seq') FROM generate_series(1, %s)",
                [ID_BLOCK],
            )
            self._ids.extend(int(str(row[0])) for row in rows)
        taken, self._ids = self._ids[:count], self._ids[count:]
        return taken

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _resolve(group: list[Accepted], error: NotStored | None) -> None:
    for item in group:
        if item.done.done():  # the sender hung up; his events are stored all the same
            continue
        if error is None:
            item.done.set_result(None)
        else:
            item.done.set_exception(error)
