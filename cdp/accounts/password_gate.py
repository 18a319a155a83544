"""How many passwords are checked at once: one costs half a second of a processor, and anybody may ask for it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

#: together, in one process; one address has one at a time, so that it cannot take all
AT_ONCE = 2
WAIT_SECONDS = 2.0

_free = threading.Condition()
_under_way: Counter[str] = Counter()


class TooManyAtOnce(Exception):
    """Say that the one who asks should come back in a moment."""


@contextmanager
def checking_password(address: str | None, *, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold a place while a password is checked; raise TooManyAtOnce at once for a second of the same address."""
    key = address or ""
    with _free:
        if _under_way[key]:
            raise TooManyAtOnce
        if not _free.wait_for(lambda: _under_way.total() < AT_ONCE, timeout=wait) or _under_way[key]:
            raise TooManyAtOnce
        _under_way[key] += 1
    try:
        yield
    finally:
        with _free:
            del _under_way[key]
            _free.notify()
