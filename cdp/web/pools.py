"""Threads for Django, and the queue before them: addresses take turns, so that one that asks much waits for itself."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from cdp.web import routes

T = TypeVar("T")

#: how long a request may wait for a thread (seconds)
WAIT_SECONDS = 20.0


class Busy(Exception):
    """Too many wait already, or this one has waited for too long."""


class FairQueue(Generic[T]):
    """Items of many addresses; the next is the oldest of the address whose turn it is."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._count = 0
        self._of: OrderedDict[str, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many wait."""
        return self._count

    def put(self, address: str, item: T) -> T | None:
        """Add an item; return the one that has to leave for it: the last of the address with most, perhaps itself."""
        mine = self._of.setdefault(address, deque())
        mine.append(item)
        self._count += 1
        if self._count <= self.size:
            return None
        most = max(self._of, key=lambda other: len(self._of[other]))
        if len(self._of[most]) == len(mine):
            most = address
        leaves = self._of[most].pop()
        self._count -= 1
        if not self._of[most]:
            del self._of[most]
        return leaves

    def pop(self) -> T | None:
        """Take the next item; None when there is none."""
        if not self._of:
            return None
        address, waiting = self._of.popitem(last=False)
        item = waiting.popleft()
        self._count -= 1
        if waiting:
            self._of[address] = waiting
        return item


class ThreadPool:
    """Run work in the pool's threads, in turn."""

    def __init__(self, pool: routes.Pool) -> None:
        self._threads = pool.threads
        self._free = pool.threads
        self._executor = ThreadPoolExecutor(pool.threads, thread_name_prefix=f"django-{pool.name}")
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue(pool.waiting)

    async def run(self, address: str, work: Callable[[], T]) -> T:
        """Return what `work` returns once a thread was free for it; raise Busy when none is."""
        await self._turn(address)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._pass_on()

    async def _turn(self, address: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        leaves = self._queue.put(address, turn)
        if leaves is not None and not leaves.done():
            leaves.set_exception(Busy())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except TimeoutError:
            raise Busy from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on()  # it was our turn at the very moment in which nobody wanted it any more
            raise

    def _pass_on(self) -> None:
        while (turn := self._queue.pop()) is not None:
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def fair_address(client: tuple[str, int] | None) -> str:
    """Return whose turn a request takes: an address, or the /64 of an IPv6 one, which is one customer's."""
    address = client[0] if client else ""
    return ":".join(address.split(":")[:4]) if ":" in address else address
