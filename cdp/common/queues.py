"""The one protocol of all queues: who works at what, for how long, and what becomes of an item that fails.

A queue is a table in PostgreSQL and a task that works through it. The task is woken on commit and by beat; losing a
wake-up delays work by seconds. It runs in one of a few slots, which are locks of the database's session: a worker that
dies gives them back by dying. Two kinds of work:

- *blocks* (`cdp.common.queue_blocks`): rows that are locked, worked through and deleted in one transaction. A block
  that fails is tried again in ever smaller pieces, until the one row that fails stands alone.
- *items* (`cdp.common.queue_items`): one claim each, with a lease, for work of many transactions or over the network.

An item that fails is tried again later, and later still; then it becomes a dead letter, which a page shows. An error of
the server (`cdp.common.faults`) blames no item: the task ends, and goes on when the server is back.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from celery import Task, shared_task
from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now
from django.utils.functional import Promise

from cdp.common.faults import Fault, describe_error, fault_of
from cdp.common.models import DeadLetter
from cdp.common.registry import Registry
from cdp.common.stopping import stop_requested
from cdp.common.wake import wake

#: a run begins nothing new after so many seconds: it wakes another, so that a request to stop is heard
GIVE_WAY_SECONDS = 50.0
#: between the end of a run and that of its leases, and between that and the limit of its task
MARGIN_SECONDS = 30.0
#: failures of one item after which it becomes a dead letter, and the wait after each of them
MAX_ATTEMPTS = 5
BACKOFF_SECONDS = (5, 15, 45, 135)
#: space of the advisory locks by which holders of claims are known to live; any constant that nothing else uses
HOLDERS = 7_203_200


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue. All its times follow from one: how long a single item may take."""

    name: str
    label: Promise
    task: str
    item_seconds: float
    #: work until nothing is due or the run is over; return how many items were worked at
    work: Callable[[Run], int]
    #: return (how many are due, age of the oldest in seconds or None)
    measure: Callable[[], tuple[int, float | None]]
    #: put the item of a dead letter back; None: `queue_items.put` does
    retry: Callable[[DeadLetter], None] | None = None
    #: runs at once, over all workers
    slots: int = 1
    #: beat wakes the task every so many seconds
    every: int = 2
    #: health turns red when the oldest due item is older
    late_seconds: float = 300.0

    @property
    def run_seconds(self) -> float:
        """Return how long a run takes at most: its last item is begun before it gives way."""
        return GIVE_WAY_SECONDS + self.item_seconds

    @property
    def lease_seconds(self) -> float:
        """Return how long a claim holds without renewal: longer than the run that made it."""
        return self.run_seconds + MARGIN_SECONDS

    @property
    def task_seconds(self) -> float:
        """Return when the task counts as hung, and its process gives itself up: after all else has had its time."""
        return self.lease_seconds + MARGIN_SECONDS


queues: Registry[Queue] = Registry("queue")


@dataclass(frozen=True)
class Run:
    """A task at work on a queue, in one of its slots."""

    queue: Queue
    slot: int
    holder: int
    ends: float  # by time.monotonic()

    @property
    def goes_on(self) -> bool:
        """Tell whether another item may be begun."""
        return time.monotonic() < self.ends and not stop_requested.is_set()

    @property
    def takes_failed(self) -> bool:
        """Tell whether it may take items that failed before. The last of several slots does not: what fails slowly
        cannot keep out what is new.
        """
        return self.slot == 0 or self.slot < self.queue.slots - 1


def register(queue: Queue) -> Any:
    """Register a queue and return the task that drains it."""
    queues.add(queue.name, queue)

    def drain_queue() -> bool:
        return drain(queue.name)

    return shared_task(name=queue.task, soft_time_limit=int(queue.task_seconds))(drain_queue)


def drain(name: str, *, seconds: float = GIVE_WAY_SECONDS) -> bool:
    """Work through a queue in a free slot until nothing is due; return whether time was up, or the process asked to
    stop, first.

    Whoever finds all slots taken leaves. So a run looks once more after giving its slot back: what came in between is
    its own work, or a wake-up would be lost.
    """
    queue, ends, empty = queues.get(name), time.monotonic() + seconds, 0
    while empty < 2:
        with slot(name, queue.slots) as number:
            if number is None:
                return False
            with holder() as held:
                done = queue.work(Run(queue, number, held, ends))
        if time.monotonic() >= ends or stop_requested.is_set():
            wake(queue.task)
            return True
        if not done and not queue.measure()[0]:
            return False
        empty = 0 if done else empty + 1
    return False


# Slots and holders: locks of a database session, which ends with its process ---------------------------------------
@contextmanager
def slot(name: str, slots: int) -> Iterator[int | None]:
    """Hold one of the slots of this name; give None when all are taken."""
    space = zlib.crc32(name.encode()) - 2**31
    taken = next((number for number in range(slots) if _lock("pg_try_advisory_lock", space, number)), None)
    try:
        yield taken
    finally:
        if taken is not None:
            _unlock(space, taken)


@contextmanager
def holder() -> Iterator[int]:
    """Give a number that names this worker in its claims; it counts as alive for as long as the session."""
    number = random.randrange(1, 2**31)  # noqa: S311 - a name, guards nothing
    _lock("pg_advisory_lock", HOLDERS, number)
    try:
        yield number
    finally:
        _unlock(HOLDERS, number)


#: the holders that live, as a subquery
LIVING_HOLDERS = f"""
SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = {HOLDERS} AND objsubid = 2 AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _lock(function: str, space: int, number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [space, number])
        row = cursor.fetchone()
    return bool(row and row[0] is not False)


def _unlock(space: int, number: int) -> None:
    try:
        if connection.connection is not None and not connection.connection.closed:
            _lock("pg_advisory_unlock", space, number)
    except (OperationalError, InterfaceError):
        connection.close()  # the session is gone, and its locks with it


class SingleTask(Task[Any, Any]):
    """The base of tasks that are no queue's: each runs once at a time."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run, or end at once when it runs already."""
        if any(queue.task == self.name for queue in queues):
            return super().__call__(*args, **kwargs)  # it has slots of its own
        with slot(self.name, 1) as number:
            return None if number is None else super().__call__(*args, **kwargs)


# What cannot be done -----------------------------------------------------------------------------------------------
def backoff_seconds(attempts: int) -> float:
    """Return how long an item waits after having failed so many times."""
    return BACKOFF_SECONDS[min(attempts, len(BACKOFF_SECONDS)) - 1]


def reason_of(error: BaseException) -> str:
    """Return the code of the reason why an item failed; `cdp.common.dead_letters` words it."""
    return {Fault.TIMEOUT: "timeout", Fault.RACE: "race"}.get(fault_of(error), "error")


def bury(
    queue: Queue,
    key: object,
    *,
    error: BaseException | None = None,
    reason: str = "",
    attempts: int = 1,
    since: Any = None,
    payload: dict[str, Any] | None = None,
) -> DeadLetter:
    """Keep an item as a dead letter; the caller removes it from its queue in the same transaction.

    `payload` refers to what the item is about (ids and times, no personal data), for `Queue.retry`.
    """
    letter, _made = DeadLetter.objects.update_or_create(
        queue=queue.name,
        key=str(key),
        defaults={
            "reason": reason or (reason_of(error) if error else "error"),
            "parameters": {"seconds": int(queue.item_seconds)},
            "error": describe_error(error) if error else "",
            "attempts": attempts,
            "first_tried_at": since or Now(),
            "last_tried_at": Now(),
            "payload": payload or {},
        },
    )
    return letter
