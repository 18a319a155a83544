"""Queues that are worked in blocks: rows locked, worked through and deleted in one transaction.

The lock is the claim: a worker that dies gives it back at once, and no row is done twice. A block that fails is not
searched at once: its rows are marked and come back in pieces, so that new rows are not kept waiting, and a run that
ends in the midst loses nothing of the search.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction

from cdp.common.faults import Fault, bounded, describe_error, fault_of, persist
from cdp.common.models import QueueItem
from cdp.common.queues import MAX_ATTEMPTS, Run, backoff_seconds, bury

logger = logging.getLogger(__name__)

#: rows that failed come back in pieces of so many, by their `attempts`; from ALONE on each by itself
PIECES = (125, 8)
ALONE = len(PIECES) + 1
#: a run begins with a block of so many rows and grows with what fits
FIRST_ROWS = 200

Row = tuple[Any, ...]


@dataclass(frozen=True)
class BlockTable:
    """The table behind such a queue. It has `attempts` and `due_at` (null: at once); `columns` begin with the key."""

    name: str
    columns: str
    since: str  # the column that says since when a row waits

    @property
    def key(self) -> str:
        """Return the column by which rows are known and ordered."""
        return self.columns.split(",")[0]

    def claim_new(self, limit: int) -> list[Row]:
        """Lock the first rows that never failed and that nobody else holds."""
        return self._claim(0, limit)

    def claim_failed(self) -> list[Row]:
        """Lock rows that failed before, as many as a piece may have."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT attempts FROM {self.name} WHERE attempts > 0 AND (due_at IS NULL OR due_at <= now())"
                f" ORDER BY {self.key} LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
            found = cursor.fetchone()
        if not found:
            return []
        return self._claim(found[0], PIECES[found[0] - 1] if found[0] < ALONE else 1)

    def _claim(self, attempts: int, limit: int) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {self.columns} FROM {self.name} WHERE attempts = %s AND (due_at IS NULL OR due_at <= now())"
                f" ORDER BY {self.key} LIMIT %s FOR UPDATE SKIP LOCKED",
                [attempts, limit],
            )
            return list(cursor.fetchall())

    def delete(self, keys: Sequence[int]) -> None:
        """Delete rows that are done."""
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {self.name} WHERE {self.key} = ANY(%s)", [list(keys)])

    def mark_failed(self, keys: Sequence[int]) -> None:
        """Let rows of a block that failed come back in smaller pieces."""
        smaller = next((number for number, size in enumerate(PIECES, 1) if size < len(keys)), ALONE)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {self.name} SET attempts = %s WHERE {self.key} IN (SELECT {self.key}"
                f" FROM {self.name} WHERE {self.key} = ANY(%s) ORDER BY {self.key} FOR UPDATE SKIP LOCKED)",
                [smaller, list(keys)],
            )

    def put_off(
        self,
        run: Run,
        key: int,
        error: Exception | None,
        *,
        letter_key: object = None,
        payload: dict[str, Any] | None = None,
    ) -> None:
        """Let a row that failed alone wait; after its last attempt it becomes a dead letter, known by `letter_key`.

        Without an error, what failed is the worker itself.
        """
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"SELECT greatest(attempts - %s, 0) + 1, {self.since} FROM {self.name} WHERE {self.key} = %s"
                " FOR UPDATE",
                [ALONE, key],
            )
            if (found := cursor.fetchone()) is None:
                return
            attempts, since = found
            if attempts >= MAX_ATTEMPTS:
                bury(
                    run.queue,
                    letter_key or key,
                    error=error,
                    reason="" if error else "worker_died",
                    attempts=attempts,
                    since=since,
                    payload=payload,
                )
                self.delete([key])
                return
            cursor.execute(
                f"UPDATE {self.name} SET attempts = %s, due_at = now() + make_interval(secs => %s)"
                f" WHERE {self.key} = %s",
                [ALONE + attempts, backoff_seconds(attempts), key],
            )

    def measure(self) -> tuple[int, float | None]:
        """Return how many rows are due (counted up to a million) and the age of the oldest in seconds."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*), extract(epoch FROM clock_timestamp() - min(since))::float FROM ("
                f"SELECT {self.since} AS since FROM {self.name} WHERE due_at IS NULL OR due_at <= now()"
                " LIMIT 1000000) AS due"
            )
            count, age = cursor.fetchone()
        return int(count), None if age is None else max(0.0, age)


Alone = Callable[[Row, Exception | None], None]


@contextmanager
def _noted(run: Run, suspect: Callable[[], None]) -> Iterator[None]:
    """Note that a run is in the midst of its blocks; `suspect` is called when the last one in its slot never ended."""
    name = f"{run.queue.name}:slot"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(
            "INSERT INTO common_queueitem (queue, key) VALUES (%s, %s)"
            " ON CONFLICT (queue, key) DO UPDATE SET deaths = 1 RETURNING deaths",
            [name, run.slot],
        )
        if cursor.fetchone()[0]:
            suspect()
    try:
        yield
    finally:
        with suppress(OperationalError, InterfaceError):
            QueueItem.objects.filter(queue=name, key=run.slot).delete()


def _suspect_first(run: Run, table: BlockTable, limit: int, alone: Alone) -> None:
    """Let the first rows come back in smaller pieces: the last worker died at them, lest they kill the next."""
    logger.warning("%s: the last worker in slot %d died; what it was at comes in pieces", run.queue.name, run.slot)
    failed = table.claim_failed() if run.takes_failed else []
    if len(failed) == 1:
        alone(failed[0], None)
    elif failed:
        table.mark_failed([row[0] for row in failed])
    if rows := table.claim_new(limit):
        table.mark_failed([row[0] for row in rows])


def work_blocks(
    run: Run,
    table: BlockTable,
    process: Callable[[list[Row]], int],
    *,
    limit: int,
    alone: Alone,
) -> int:
    """Work until nothing is due; return how many rows were worked at.

    `process(rows)` does as many of the claimed rows as it likes, deletes them, and returns how many. `alone(row,
    error)` is told of a row that failed alone (None: its worker died) and puts it off.
    """
    worked, size = 0, min(limit, FIRST_ROWS)
    with _noted(run, partial(_suspect_first, run, table, limit, alone)):
        while run.goes_on:
            new = _block(run, table, partial(table.claim_new, size), process, alone)
            failed = _block(run, table, table.claim_failed, process, alone) if run.takes_failed else 0
            if not new and not failed:
                break
            # Claim about as many rows as were done: locking far more than that is wasted work.
            size = max(1, min(limit, new * 2)) if new else size
            worked += new + failed
    return worked


def _block(
    run: Run,
    table: BlockTable,
    claim: Callable[[], list[Row]],
    process: Callable[[list[Row]], int],
    alone: Alone,
) -> int:
    claimed: list[Row] = []

    def attempt() -> int:
        with transaction.atomic(), bounded(run.queue.item_seconds):
            claimed[:] = claim()
            return process(claimed) if claimed else 0

    try:
        return persist(attempt)
    except Exception as error:
        if not claimed or fault_of(error) is Fault.SERVER:
            raise
        logger.warning("%s: a block of %d failed: %s", run.queue.name, len(claimed), describe_error(error))
        if len(claimed) == 1:
            alone(claimed[0], error)
        else:
            table.mark_failed([row[0] for row in claimed])
        return len(claimed)
