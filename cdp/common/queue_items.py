"""Queues of items: each is claimed with a lease, worked at over many transactions, and renewed while it goes on.

A claim names its holder, who lives as long as a database session does. So what a dead worker held is taken over at
once; the lease is for sessions that hang. Each renewal and each end names the holder too: a worker that slept past its
lease finds that another took over, and the transaction that it is in is rolled back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from cdp.common.faults import Fault, describe_error, fault_of
from cdp.common.models import DeadLetter
from cdp.common.queues import LIVING_HOLDERS, MAX_ATTEMPTS, Queue, Run, backoff_seconds, bury

logger = logging.getLogger(__name__)

#: holders that an item may lose before it is taken for what kills them
MAX_DEATHS = 10

# Nobody else holds it: by name, or the holder is dead, or its lease has run out.
_FREE = f"(holder IS NULL OR lease_until < now() OR holder <> ALL (ARRAY({LIVING_HOLDERS})))"

_CLAIM = f"""
WITH chosen AS (
    SELECT queue, key, holder IS NOT NULL AS lost FROM common_queueitem
    WHERE queue = %(queue)s AND due_at <= now() AND {_FREE} AND (attempts = 0 OR %(failed)s)
    ORDER BY due_at, key LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE common_queueitem AS item
SET holder = %(holder)s, lease_until = now() + make_interval(secs => %(lease)s),
    deaths = item.deaths + chosen.lost::int
FROM chosen WHERE item.queue = chosen.queue AND item.key = chosen.key
RETURNING item.key, item.attempts, item.deaths, item.puts, item.since, extract(epoch FROM now() - item.since)::float
"""
_MINE = "queue = %(queue)s AND key = %(key)s AND holder = %(holder)s"


class LeaseLost(Exception):
    """Another worker took the item over."""


@dataclass(frozen=True)
class Claim:
    """An item in the hands of this worker."""

    queue: Queue
    key: int
    holder: int
    attempts: int
    deaths: int
    puts: int
    since: datetime
    waited: float  # seconds, when it was claimed

    @property
    def names(self) -> dict[str, Any]:
        """Return what a statement needs to name the claim."""
        return {"queue": self.queue.name, "key": self.key, "holder": self.holder}

    def renew(self, *, progress: bool = False) -> None:
        """Keep the claim; raise LeaseLost when it is another's. What failed before is forgotten only by progress: by
        work that would not have to be done again.
        """
        forget = ", attempts = 0, deaths = 0" if progress else ""
        sql = (
            f"UPDATE common_queueitem SET lease_until = now() + make_interval(secs => %(lease)s){forget} WHERE {_MINE}"
        )
        if not _execute(sql, self.names | {"lease": self.queue.lease_seconds}):
            raise LeaseLost(f"{self.queue.name} {self.key}")

    def give_back(self, *, seconds: float = 0) -> None:
        """Let go of an item that is not done, without blame; it is due again after `seconds`."""
        sql = f"""
            UPDATE common_queueitem
            SET holder = NULL, lease_until = NULL, due_at = now() + make_interval(secs => %(wait)s) WHERE {_MINE}
        """
        _execute(sql, self.names | {"wait": seconds})

    def finish(self) -> None:
        """Remove the item, unless it was put in again meanwhile; with it goes what once failed."""
        if _execute(
            f"DELETE FROM common_queueitem WHERE {_MINE} AND puts = %(puts)s", self.names | {"puts": self.puts}
        ):
            DeadLetter.objects.filter(queue=self.queue.name, key=str(self.key)).delete()
        else:
            self.give_back()


def _execute(sql: str, params: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def put(name: str, keys: Sequence[int], *, seconds: float = 0) -> None:
    """Put items in, due after `seconds`; those that are there become due again, and what failed before is forgotten."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO common_queueitem (queue, key, due_at)
            SELECT %(name)s, key, now() + make_interval(secs => %(wait)s) FROM unnest(%(keys)s::bigint[]) AS key
            ORDER BY key
            ON CONFLICT (queue, key) DO UPDATE
            SET puts = common_queueitem.puts + 1, due_at = excluded.due_at, attempts = 0, deaths = 0, error = ''
            """,
            {"name": name, "wait": seconds, "keys": sorted(set(keys))},
        )
        cursor.execute(
            "DELETE FROM common_deadletter WHERE queue = %s AND key = ANY(%s::text[])",
            [name, [str(key) for key in keys]],
        )


def feed(name: str, sql: str) -> None:
    """Put in the keys that a SELECT gives, as far as they are not there; what was given up is tried again hourly."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO common_queueitem (queue, key, due_at) SELECT %s, found.key, now() FROM ({sql}) AS found (key)"
            " WHERE NOT EXISTS (SELECT 1 FROM common_deadletter d WHERE d.queue = %s AND d.key = found.key::text"
            " AND d.last_tried_at > now() - interval '1 hour')"
            " ORDER BY found.key ON CONFLICT (queue, key) DO NOTHING",
            [name, name],
        )


def is_held(name: str, key: int) -> bool:
    """Tell whether a living worker holds an item."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM common_queueitem WHERE queue = %s AND key = %s AND NOT {_FREE}", [name, key])
        return cursor.fetchone() is not None


def claim(run: Run, limit: int = 1) -> list[Claim]:
    """Take the items that have been due for longest, as far as no other worker holds them."""
    queue = run.queue
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "queue": queue.name,
                "holder": run.holder,
                "lease": queue.lease_seconds,
                "failed": run.takes_failed,
                "limit": limit,
            },
        )
        return [Claim(queue, key, run.holder, *rest) for key, *rest in sorted(cursor.fetchall())]


def work_items(
    run: Run,
    work: Callable[[Claim], None],
    *,
    on_failure: Callable[[Claim, DeadLetter | None, str], None] = lambda _claim, _letter, _error: None,
) -> int:
    """Work at what is due, item by item; return how many.

    `work(claim)` may end by giving the item back; otherwise it is done. `on_failure(claim, letter, error)` is told of
    an item that failed, in the transaction that notes it; `letter` is set when it was given up.
    """
    worked = 0
    while run.goes_on and (claims := claim(run)):
        for item in claims:
            worked += 1
            _work_item(item, work, on_failure)
    return worked


def _work_item(
    item: Claim,
    work: Callable[[Claim], None],
    on_failure: Callable[[Claim, DeadLetter | None, str], None],
) -> None:
    try:
        if item.deaths > MAX_DEATHS:
            _fail(item, None, on_failure)
            return
        work(item)
    except LeaseLost:
        logger.warning("%s %s was taken over by another worker", item.queue.name, item.key)
    except Exception as error:
        if fault_of(error) is Fault.SERVER:
            raise  # the claim ends with the session
        logger.warning("%s %s failed: %s", item.queue.name, item.key, describe_error(error))
        _fail(item, error, on_failure)
    else:
        item.finish()


@transaction.atomic
def _fail(
    item: Claim,
    error: Exception | None,
    on_failure: Callable[[Claim, DeadLetter | None, str], None],
) -> None:
    """Let an item that failed wait; after its last attempt it becomes a dead letter."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT attempts + 1 FROM common_queueitem WHERE {_MINE} FOR UPDATE", item.names)
        if (found := cursor.fetchone()) is None:
            return  # another worker took it over
    words, attempts = describe_error(error) if error else "", found[0]
    if error is not None and attempts < MAX_ATTEMPTS:
        sql = f"""
            UPDATE common_queueitem SET holder = NULL, lease_until = NULL, attempts = %(attempts)s, error = %(error)s,
                due_at = now() + make_interval(secs => %(wait)s)
            WHERE {_MINE}
        """
        _execute(sql, item.names | {"attempts": attempts, "error": words, "wait": backoff_seconds(attempts)})
        on_failure(item, None, words)
        return
    reason, times = ("", attempts) if error else ("worker_died", item.deaths)
    letter = bury(item.queue, item.key, error=error, reason=reason, attempts=times, since=item.since)
    _execute(f"DELETE FROM common_queueitem WHERE {_MINE}", item.names)
    on_failure(item, letter, words)
