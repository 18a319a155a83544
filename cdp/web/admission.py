"""How many requests may be open at a time: being read, waiting, worked on, or being sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cdp.web.refusals import BUSY, Refused

#: in all, and of one address (a company behind one, or a proxy that is not said to be trusted)
MAX_OPEN, MAX_OPEN_EACH = 1500, 300


class OpenRequests:
    """The requests under way, by address."""

    def __init__(self) -> None:
        self._count = 0
        self._of: dict[str, int] = {}

    @contextmanager
    def counted(self, address: str) -> Iterator[None]:
        """Count a request for as long as it is open; raise Refused when there are too many."""
        mine = self._of.get(address, 0)
        if self._count >= MAX_OPEN or mine >= MAX_OPEN_EACH:
            raise Refused(BUSY)
        self._count += 1
        self._of[address] = mine + 1
        try:
            yield
        finally:
            self._count -= 1
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]
