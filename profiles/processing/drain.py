"""Drain the inbox: block after block until it is empty, whatever single messages or other workers do."""

from __future__ import annotations

import gc
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from profiles import partitions
from profiles.processing.block import BlockResult, MonthsMissing, Place, process_entries, read_bodies
from profiles.processing.claim import MAX_BLOCK_ROWS, Entry, claim, claim_these, load_bodies
from profiles.processing.sources import load_rules, load_sources
from profiles.resolution.write import ConcurrentUpdate

logger = logging.getLogger(__name__)

T = TypeVar("T")
MAX_TRIES = 6
#: a drain gives way after this many seconds and wakes itself, so that a stop request is heard
DRAIN_SECONDS = 50.0


def drain_inbox(*, seconds: float = DRAIN_SECONDS, block_rows: int = MAX_BLOCK_ROWS) -> tuple[int, bool]:
    """Process the inbox until it is empty or the time is up; return (messages, whether rows may be left)."""
    end = time.monotonic() + seconds
    done = 0
    rows = min(block_rows, 200)
    while time.monotonic() < end:
        result = process_block(rows)
        if result is None:
            return done, False
        done += result.messages
        # Claim about as many bodies as fit a block: locking far more than that is wasted work.
        rows = max(1, min(block_rows, result.bodies * 2))
    return done, True


def process_block(rows: int = MAX_BLOCK_ROWS) -> BlockResult | None:
    """Claim and process one block; None when nothing waits.

    A block that fails for a reason of its own is taken apart until the one message that fails is found.
    """
    claimed: list[Entry] = []

    def run() -> BlockResult | None:
        with transaction.atomic():
            _allow_long_statements()
            claimed[:] = claim(rows)
            return process_entries(claimed) if claimed else None

    try:
        with _no_cycle_search():
            return _persist(run)
    except (OperationalError, InterfaceError, ConcurrentUpdate):
        raise
    except Exception:
        logger.warning("a block of %d bodies failed; looking for the message", len(claimed), exc_info=True)
        return _take_apart([entry.raw_id for entry in claimed])


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Keep the garbage collector from searching a block again and again while it grows.

    A block makes some 100,000 objects, hardly a cycle among them; counting references frees them when it ends.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _allow_long_statements() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '120s'")


def _persist(run: Callable[[], T]) -> T:
    """Run a transaction; make missing partitions, and try again when it lost a race with another worker."""
    for attempt in range(MAX_TRIES):
        try:
            return run()
        except MonthsMissing as missing:
            partitions.ensure_months(missing.months)
        except (OperationalError, ConcurrentUpdate) as error:
            if attempt == MAX_TRIES - 1 or not _is_race(error):
                raise
            time.sleep(random.uniform(0.005, 0.05) * (attempt + 1))  # noqa: S311 - spreads retries, guards nothing
    return run()


def _is_race(error: Exception) -> bool:
    """Tell whether an error is the loss of a race (deadlock, serialization failure, lock timeout)."""
    cause = error.__cause__
    return isinstance(error, ConcurrentUpdate) or getattr(cause, "sqlstate", "") in {"40P01", "40001", "55P03"}


def _take_apart(raw_ids: Sequence[int]) -> BlockResult:
    """Process bodies in halves, down to the one that fails; of that one, reject the messages that fail."""
    if len(raw_ids) == 1:
        return _without_poison(raw_ids[0])
    middle = len(raw_ids) // 2
    results = [_try_some(half) for half in (raw_ids[:middle], raw_ids[middle:]) if half]
    return BlockResult(
        sum(result.bodies for result in results),
        sum(result.messages for result in results),
        sum(result.stored for result in results),
    )


def _try_some(raw_ids: Sequence[int]) -> BlockResult:
    try:
        result = _persist(lambda: _process_these(raw_ids, {}))
        rest = raw_ids[result.bodies :] if result.bodies else []
        if not rest:
            return result
        more = _try_some(rest)
        return BlockResult(result.bodies + more.bodies, result.messages + more.messages, result.stored + more.stored)
    except (OperationalError, InterfaceError, ConcurrentUpdate):
        raise
    except Exception:  # noqa: BLE001 - see process_block
        return _take_apart(raw_ids)


@transaction.atomic
def _process_these(raw_ids: Sequence[int], skip: dict[Place, str]) -> BlockResult:
    _allow_long_statements()
    entries = claim_these(raw_ids)
    return process_entries(entries, skip=skip) if entries else BlockResult(0, 0, 0)


def _without_poison(raw_id: int) -> BlockResult:
    """Find the messages of one body that cannot be stored, then store the rest."""
    skip: dict[Place, str] = {}
    places = _places(raw_id)
    _search(raw_id, places, places, skip)
    return _persist(lambda: _process_these([raw_id], skip))


def _places(raw_id: int) -> list[Place]:
    with transaction.atomic():
        work = read_bodies(load_bodies(claim_these([raw_id])), load_rules(), load_sources())
    return [(item.origin.raw_id, item.message.position) for item in work.items]


def _search(raw_id: int, places: Sequence[Place], everything: Sequence[Place], skip: dict[Place, str]) -> None:
    """Try ever smaller parts of a body, each in a transaction that is rolled back, and note those that fail."""
    reason = _trial(raw_id, set(everything) - set(places))
    if not reason:
        return
    if len(places) == 1:
        skip[places[0]] = reason
        return
    middle = len(places) // 2
    _search(raw_id, places[:middle], everything, skip)
    _search(raw_id, places[middle:], everything, skip)


class _TrialOver(Exception):
    """Roll the trial back."""


def _trial(raw_id: int, leave_out: set[Place]) -> str:
    """Return why the rest of a body cannot be stored; empty when it can."""

    def run() -> str:
        try:
            with transaction.atomic():
                _process_these([raw_id], dict.fromkeys(leave_out, "trial"))
                raise _TrialOver
        except _TrialOver:
            return ""

    try:
        return _persist(run)
    except (OperationalError, InterfaceError, ConcurrentUpdate):
        raise
    except Exception as error:  # noqa: BLE001 - see process_block
        return f"{type(error).__name__}: {error}"[:300].replace("\x00", "")
