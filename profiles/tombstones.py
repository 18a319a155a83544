"""Erased people stay out: the one look-up for everybody who writes people, and the lock between them and an erasure.

A writer asks who is erased, writes, and commits; an erasure that came in between would be undone by it. So whoever asks
holds a shared lock until the end of its transaction, and an erasure takes the same lock for itself alone while it puts
its tombstones up and removes the person. It does not stand in line for it: behind somebody who waits for the lock alone
all others would have to wait too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from cdp.common.faults import Fault, fault_of
from cdp.common.registry import Registry

Pair = tuple[str, str]  # (kind, value)


@dataclass(frozen=True, kw_only=True)
class Tombstones:
    """An app's knowledge of who was erased."""

    find: Callable[[Sequence[Pair]], set[Pair]]  # the identifiers of erased people among those given
    count: Callable[[], int]  # how many erasures there were so far


tombstones: Registry[Tombstones] = Registry("tombstones")

#: any constant that nothing else uses
_LOCK = 7_203_301
#: writers wait behind an erasure for so long at most, and an erasure tries for so long in all
_STEP_MS = 300
_TRY_SECONDS = 20.0


def find_erased(identifiers: Collection[Pair]) -> set[Pair]:
    """Return the identifiers of erased people among those given.

    Ask inside the transaction that writes, before it locks people: the answer then holds until its end.
    """
    if not identifiers:
        return set()
    hold_off_erasures()
    pairs = sorted(identifiers)
    return set().union(*(stones.find(pairs) for stones in tombstones))


def hold_off_erasures() -> None:
    """Let no erasure take anybody out until the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK])


def erasures_so_far() -> int:
    """Return a number that grows with each erasure: who worked long without the lock can tell that one came between."""
    return sum(stones.count() for stones in tombstones)


def refuse_erased(identifiers: Collection[Pair]) -> None:
    """Raise CdpError `person.erased` when one of these, which are about to be written, belongs to an erased person."""
    if find_erased(identifiers):
        raise CdpError("person.erased", _("This person was erased and stays out."), status=409)


def busy() -> CdpError:
    """Return the error of an erasure that has to wait; it goes on by itself."""
    words = _("Too much is being written just now. The erasure is noted, and goes on by itself within minutes.")
    return CdpError("erasure.busy", words, status=503)


def shut_out_writers(*, seconds: float = _TRY_SECONDS) -> None:
    """Wait until nobody writes on an answer of `find_erased`, and let nobody begin until the end of this transaction.

    Take it before any other lock. Raises CdpError `erasure.busy` when writers leave no gap.
    """
    ends = time.monotonic() + seconds
    while True:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{_STEP_MS}ms"])
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
                return
        except OperationalError as error:
            if fault_of(error) is not Fault.RACE:
                raise
            if time.monotonic() > ends:
                raise busy() from error
        time.sleep(random.uniform(0.05, 0.2))  # noqa: S311 - spreads retries, guards nothing
