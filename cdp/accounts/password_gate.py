"""How many passwords are checked at once: one costs half a second of a processor, and anybody may ask for it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

#: together, in one process; one address has one at a time, so that it cannot take all
AT_ONCE = 2
#: of one address that wait for their turn: an office behind one address begins the day at the same minute
WAITING_PER_ADDRESS = 3
WAIT_SECONDS = 2.0

_free = threading.Condition()
_under_way: Counter[str] = Counter()
_waiting: Counter[str] = Counter()


class TooManyAtOnce(Exception):
    """Say that the one who asks should come back in a moment."""


@contextmanager
def checking_password(address: str | None, *, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold a place while a password is checked; raise TooManyAtOnce when there is none within `wait` seconds."""
    key = address or ""
    with _free:
        if not _take_turn(key, wait):
            raise TooManyAtOnce
        _under_way[key] += 1
    try:
        yield
    finally:
        with _free:
            del _under_way[key]
            _free.notify_all()


def _take_turn(key: str, wait: float) -> bool:
    if _waiting[key] >= WAITING_PER_ADDRESS:
        return False
    _waiting[key] += 1
    try:
        return _free.wait_for(lambda: not _under_way[key] and _under_way.total() < AT_ONCE, timeout=wait)
    finally:
        _waiting[key] -= 1
        if not _waiting[key]:
            del _waiting[key]
