"""Read request bodies on the event loop, under deadlines and a budget for all that are under way in the process.

When the budget is spent, the body that has been under way longest makes room: who sends in good faith takes a moment,
who sends a byte now and then takes for ever. So slow senders, however many, only ever push out each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

#: bodies up to this size that came whole cost no more than the connection that brought them: they are not counted
SMALL = 64 * 1024


class BodyRefused(Exception):
    """Say why a body was not read: too_large, too_slow, broken_off or busy."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a sender may take (seconds): in all, plus its size at the lowest rate; and between two pieces."""

    total: float = 30.0
    pause: float = 10.0
    bytes_per_second: float = float("inf")

    def until(self, size: int) -> float:
        """Return how long `size` bytes may take."""
        return self.total + size / self.bytes_per_second


class Reading:
    """One body under way, and what it has cost so far; counted until the request that brought it has been answered."""

    def __init__(self, budget: Budget, began: float) -> None:
        self._budget = budget
        self.began = began
        self.bytes = 0
        self._timeout: asyncio.Timeout | None = None
        self._given_up = False

    def __enter__(self) -> Reading:
        """Count it; raise BodyRefused when there is no room."""
        self._budget.add(self)
        return self

    def __exit__(self, *_error: object) -> None:
        """Give its room back."""
        self._budget.remove(self)

    def grow(self, size: int) -> None:
        """Count more bytes that this request holds in memory; raise BodyRefused when there is no room for them."""
        self.bytes += size
        self._budget.bytes += size
        self._budget.make_room(self)

    def give_up(self) -> None:
        """Break the reading off, for others need the room."""
        self._given_up = True
        if self._timeout is not None:
            self._timeout.reschedule(0)

    async def whole(self, receive: Receive, *, cap: int, patience: Patience) -> bytes:
        """Return the body; raise BodyRefused."""
        found: list[bytes] = []
        await self.read(receive, found.append, cap=cap, patience=patience)
        return b"".join(found) if len(found) > 1 else found[0]

    async def read(
        self, receive: Receive, take: Callable[[bytes], object], *, cap: int, patience: Patience, counted: bool = True
    ) -> int:
        """Hand the pieces to `take` as they come, and return their size in all; raise BodyRefused.

        `counted`: they stay in memory.
        """
        size = 0
        while True:
            message = await self._next(receive, size, patience)
            if message["type"] == "http.disconnect":
                raise BodyRefused("broken_off")
            piece: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(piece)
            if size > cap:
                raise BodyRefused("too_large")
            if counted and (more or size > SMALL):
                self.grow(len(piece))
            take(piece)
            if not more:
                self._budget.is_whole(self)
                return size

    async def _next(self, receive: Receive, size: int, patience: Patience) -> MutableMapping[str, Any]:
        end = min(asyncio.get_running_loop().time() + patience.pause, self.began + patience.until(size))
        try:
            async with asyncio.timeout_at(0 if self._given_up else end) as self._timeout:
                return await receive()
        except TimeoutError:
            raise BodyRefused("busy" if self._given_up else "too_slow") from None
        finally:
            self._timeout = None


class Budget:
    """What all bodies of one kind may hold at a time: bytes in memory, and bodies that are not whole yet."""

    def __init__(self, *, max_bytes: int, max_bodies: int) -> None:
        self.max_bytes = max_bytes
        self.max_bodies = max_bodies
        self.bytes = 0
        self._under_way: dict[Reading, None] = {}  # the oldest first

    def reading(self) -> Reading:
        """Return a new body, to be counted in a `with` block."""
        return Reading(self, asyncio.get_running_loop().time())

    def add(self, reading: Reading) -> None:
        """Count a body; raise BodyRefused when there is no room."""
        if len(self._under_way) >= self.max_bodies:
            self._give_up_oldest()
        self._under_way[reading] = None

    def remove(self, reading: Reading) -> None:
        """Count a body no longer."""
        self._under_way.pop(reading, None)
        self.bytes -= reading.bytes
        reading.bytes = 0

    def is_whole(self, reading: Reading) -> None:
        """Note that a body is here: it is not given up any more, and its bytes count until it is answered."""
        self._under_way.pop(reading, None)

    def make_room(self, reading: Reading) -> None:
        """Give up the oldest bodies under way until all fit; raise BodyRefused for this one when none may be."""
        while self.bytes > self.max_bytes:
            if next(iter(self._under_way), reading) is reading:
                raise BodyRefused("busy")
            self._give_up_oldest()

    def _give_up_oldest(self) -> None:
        oldest = next(iter(self._under_way), None)
        if oldest is None:
            raise BodyRefused("busy")
        self.remove(oldest)
        oldest.give_up()
