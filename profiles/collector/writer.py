"""The group commit: whoever waits while one commit is under way shares the next one.

One thread, one connection, one statement a group. A prepared INSERT over binary arrays is one round trip and one
commit; COPY into both tables with BEGIN and COMMIT is six, and was slower at the group sizes that occur (20 to 300).

Nobody waits for longer than STORE_SECONDS: the event loop looks after the thread (`watch`), answers those whose time is
up and cuts a connection that hangs. While nothing can be stored, one group at a time tries, and others are refused at
once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.pq import ExecStatus

from profiles.collector.group import INSERT, PARAMETERS, PREPARED, Accepted, encode_group
from profiles.collector.link import connect, is_lost

logger = logging.getLogger(__name__)

MAX_GROUP_ROWS = 1000
MAX_GROUP_BYTES = 8 * 1024 * 1024
#: bodies waiting for a commit; above it the collector reads no more, so that a slow disk cannot fill the memory
MAX_WAITING_BYTES = 64 * 1024 * 1024
ID_BLOCK = 500
#: how long a sender waits for the commit, across a restart of PostgreSQL too, before it is told to come again
STORE_SECONDS = 5.0
#: a group that takes longer than this is in trouble: newcomers are told to come again at once
EARLY_SECONDS = 2.0
STATEMENT_TIMEOUT_MS = 4_000
LOCK_TIMEOUT_MS = 1_000


class NotStored(Exception):
    """The body could not be committed; its sender must come again."""


class Writer(threading.Thread):
    """Commit what the event loop hands over, a group at a time, and report back to the loop."""

    def __init__(self, dsn: str, loop: asyncio.AbstractEventLoop, on_commit: Callable[[], None]) -> None:
        super().__init__(name="collector-writer", daemon=True)
        self._dsn = dsn
        self._loop = loop
        self._on_commit = on_commit
        self._waiting: list[Accepted] = []
        self.waiting_bytes = 0
        self._group: list[Accepted] = []  # what the thread is at
        self._began: float | None = None  # since when
        self._failing = False
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self.stopping = False
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._prepared = False
        self._ids: list[int] = []
        self.groups = 0
        self.rows = 0

    # Called from the event loop ---------------------------------------------------------------------------------

    @property
    def refusing(self) -> bool:
        """Tell whether storing fails at the moment, and somebody already waits to find out when it works again."""
        began = self._began
        return began is not None and (self._failing or time.monotonic() - began > EARLY_SECONDS)

    def submit(self, item: Accepted) -> None:
        """Queue a body; its future resolves after the commit, or fails with NotStored within STORE_SECONDS."""
        item.deadline = time.monotonic() + STORE_SECONDS
        with self._lock:
            self._waiting.append(item)
            self.waiting_bytes += len(item.body)
        self._filled.set()

    def watch(self) -> None:
        """Answer those whose time is up, and cut a connection that hangs. Called several times a second."""
        now = time.monotonic()
        with self._lock:
            late = next((n for n, item in enumerate(self._waiting) if item.deadline > now), len(self._waiting))
            expired, self._waiting = self._waiting[:late], self._waiting[late:]
            self.waiting_bytes -= sum(len(item.body) for item in expired)
            expired += [item for item in self._group if item.deadline <= now and not item.given_up]
            hangs = self._began is not None and now - self._began > STORE_SECONDS + 1
            if hangs:
                self._cut()
        if expired:
            self._failing = True
            for item in expired:
                item.given_up = True
            _resolve(expired, NotStored("the database did not take it in time"))

    def stop(self) -> None:
        """Finish what is waiting, then end. Join the thread afterwards."""
        self.stopping = True
        self._filled.set()

    def left_over(self) -> list[Accepted]:
        """Return what a thread that died left undone."""
        with self._lock:
            items = [*self._group, *self._waiting]
            self._group, self._waiting, self._began = [], [], None
        return [item for item in items if not item.done.done()]

    # The thread --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Commit groups until told to stop and nothing is left."""
        while True:
            group = self._take()
            if not group:
                if self.stopping:
                    break
                self._filled.wait(1.0)
                continue
            self._store(group)
            with self._lock:
                self._group, self._began = [], None
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
            if group:
                self._group, self._began = group, time.monotonic()
            if not self._waiting:
                self._filled.clear()
                if self.stopping:
                    self._filled.set()
        return group

    def _store(self, group: list[Accepted]) -> None:
        """Commit a group and answer it; one refused for what is in it is taken apart, so that one body fails."""
        try:
            self._commit(group)
        except NotStored as error:
            self._failing = True
            self._answer(group, error)
        except Exception as error:  # noqa: BLE001 - whatever one body does to the statement
            if len(group) > 1:
                middle = len(group) // 2
                self._store(group[:middle])
                self._store(group[middle:])
                return
            logger.error("a request could not be stored: %s", str(error).strip()[:500])
            self._answer(group, NotStored(str(error)))
        else:
            self._failing = False
            self.groups += 1
            self.rows += len(group)
            self._on_commit()
            self._answer(group, None)

    def _answer(self, group: list[Accepted], error: NotStored | None) -> None:
        self._loop.call_soon_threadsafe(_resolve, group, error)

    def _commit(self, group: list[Accepted]) -> None:
        """Commit a group, trying again for as long as somebody of it waits; raise NotStored when nobody does."""
        ids: list[int] = []
        while True:
            try:
                ids = ids or self._next_ids(len(group))
                try:
                    self._insert(encode_group(group, ids))
                except psycopg.errors.CheckViolation:
                    self._make_days(group)
                    self._insert(encode_group(group, ids))
                return
            except psycopg.Error as error:
                self._disconnect()
                if not is_lost(error):
                    raise
                if time.monotonic() > group[-1].deadline - 0.1:
                    logger.error("%d requests could not be stored: %s", len(group), str(error).strip())
                    raise NotStored(str(error)) from error
            time.sleep(0.05)

    def _insert(self, parameters: list[bytes]) -> None:
        pgconn = self._connected().pgconn
        result = pgconn.exec_prepared(PREPARED, parameters, [1] * len(parameters))
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
            connection = connect(
                self._dsn, name="klantbeeld collector", statement_ms=STATEMENT_TIMEOUT_MS, lock_ms=LOCK_TIMEOUT_MS
            )
            with self._lock:
                self._connection, self._prepared = connection, False
        if not self._prepared:
            self._prepare(self._connection)
        return self._connection

    def _prepare(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        # A role or database whose default is `off` must not turn the 200 into a promise that nobody keeps.
        connection.execute("SET synchronous_commit = on")
        if connection.execute("SHOW fsync").fetchone() == ("off",):
            logger.error("PostgreSQL runs with fsync off: what is answered 200 can be lost with the power")
        result = connection.pgconn.prepare(PREPARED, INSERT, PARAMETERS)
        if result.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)
        self._prepared = True

    def _next_ids(self, count: int) -> list[int]:
        while len(self._ids) < count:
            rows = self._connected().execute(
                "SELECT nextval('profiles_raw_id_seq') FROM generate_series(1, %s)",
                [ID_BLOCK],
            )
            self._ids.extend(int(str(row[0])) for row in rows)
        taken, self._ids = self._ids[:count], self._ids[count:]
        return taken

    def _cut(self) -> None:
        """End the conversation from outside: the thread, which waits for the server, gets an error instead."""
        if self._connection is None or self._connection.closed:
            return
        logger.error("the database has not answered for %.0f s; the connection is cut", STORE_SECONDS + 1)
        with socket.socket(fileno=os.dup(self._connection.pgconn.socket)) as line:
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is gone already
                return

    def _disconnect(self) -> None:
        with self._lock:  # nobody may cut what has become another's file number
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def _resolve(group: list[Accepted], error: NotStored | None) -> None:
    for item in group:
        if item.done.done():  # the sender hung up, or was told to come again; the events are stored all the same
            continue
        if error is None:
            item.done.set_result(None)
        else:
            item.done.set_exception(error)
