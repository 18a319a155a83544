"""Take turns at what costs much and anybody with a login may ask for: previews of messages and of rules.

One at a time and so many a minute for each user, and so many at once for all, whichever web process answers. Locks of
the database end with the transaction, so a process that dies holds nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError

AT_ONCE = 2
PER_MINUTE = 240  # an editor checks and draws whenever typing pauses
WAIT_SECONDS = 2.0
_STEP_SECONDS = 0.05
#: users whose last minute is remembered, in this process
_REMEMBERED = 10_000

_recent: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()


@contextmanager
def taking_turn(what: str, user: Any, *, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold a user's turn at `what` for the time of a transaction; raise CdpError `too_many_requests` (429).

    A second request of the same user waits a little, a third is refused at once: whoever asks for twenty holds two
    threads of the web process, not all.
    """
    who = str(getattr(user, "pk", None) or "")
    _count(what, who)
    with transaction.atomic():
        until = time.monotonic() + wait
        if not _lock(f"{what}:{who}", 0):
            if not _lock(f"{what}:{who}", 1):
                raise _busy()
            _wait(until, lambda: _lock(f"{what}:{who}", 0))
        _wait(until, lambda: any(_lock(f"{what}:all", place) for place in range(AT_ONCE)))
        yield


def _wait(until: float, got: Any) -> None:
    while not got():
        if time.monotonic() >= until:
            raise _busy()
        time.sleep(_STEP_SECONDS)


def _lock(name: str, place: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s), %s)", [f"klantbeeld.turn.{name}", place])
        return bool((cursor.fetchone() or [False])[0])


def _count(what: str, who: str) -> None:
    now = time.monotonic()
    times = _recent.setdefault((what, who), deque())
    _recent.move_to_end((what, who))
    while len(_recent) > _REMEMBERED:
        _recent.popitem(last=False)
    while times and times[0] < now - 60:
        times.popleft()
    if len(times) >= PER_MINUTE:
        raise _busy()
    times.append(now)


def _busy() -> CdpError:
    return CdpError(
        "too_many_requests", _("Earlier requests of this kind are still under way. Try again in a moment."), status=429
    )
