"""What it may cost to take a body in: memory while it is read, and time to inflate it and cut it into items.

A body without a secret key comes from anybody: it is small, and shares budget and thread with its like only. Large ones
are worked on beside the event loop, in steps that give the interpreter's lock away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cdp.common.request_bodies import BodyRefused, Budget, Patience, Reading, Receive
from profiles.collector.errors import Refusal
from profiles.collector.inflating import inflate, too_large
from profiles.messages.decoding import Body, Unreadable, split, without_bom
from profiles.messages.limits import MAX_BODY, MAX_PUBLIC_BODY, Limit

T = TypeVar("T")

PATIENCE = Patience(total=30, pause=10)
#: up to these sizes a body is inflated and cut at once: some 5 ms for the worst
INFLATE_ON_LOOP = 1024
CUT_ON_LOOP = 64 * 1024
#: bodies that may wait for a thread
MAX_WAITING = 50


class Intake:
    """Take in the bodies of one kind of sender."""

    def __init__(self, limit: Limit, *, max_bytes: int, max_bodies: int) -> None:
        self.limit = limit
        self._budget = Budget(max_bytes=max_bytes, max_bodies=max_bodies)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="collector-bodies")
        self._waiting = 0

    def reading(self) -> Reading:
        """Return a new body, to be counted in a `with` block until its request is answered; that raises BodyRefused."""
        return self._budget.reading()

    async def body(self, reading: Reading, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        """Return the body without its Content-Encoding and byte order mark."""
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self.limit.value:
            raise too_large(self.limit)
        try:
            data = await reading.whole(receive, cap=self.limit.value, patience=PATIENCE)
        except BodyRefused as refused:
            raise self._refusal(refused.reason) from None
        encoding = headers.get(b"content-encoding")
        if encoding:
            size, name = len(data), encoding.decode("latin-1")
            data = await self._work(lambda: inflate(data, name, self.limit), beside=size > INFLATE_ON_LOOP)
            if len(data) > CUT_ON_LOOP:
                reading.grow(len(data))
        return without_bom(data)

    async def cut(self, data: bytes, *, batch: bool) -> Body:
        """Return the items of a body."""
        try:
            return await self._work(lambda: split(data, batch=batch), beside=len(data) > CUT_ON_LOOP)
        except Unreadable as error:
            raise Refusal(400, error.code, error.message) from None

    async def drain(self, receive: Receive) -> None:
        """Read a body to its end and keep nothing, so that its sender is there to hear the answer."""
        try:
            with self.reading() as reading:
                await reading.read(receive, len, cap=self.limit.value, patience=PATIENCE, counted=False)
        except BodyRefused as refused:
            raise self._refusal(refused.reason) from None

    def stop(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self, work: Callable[[], T], *, beside: bool) -> T:
        if not beside:
            return work()
        if self._waiting >= MAX_WAITING:
            raise busy()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def _refusal(self, reason: str) -> Refusal:
        if reason == "too_large":
            return too_large(self.limit)
        if reason == "too_slow":
            return Refusal(408, "body_too_slow", f"The body did not arrive within {PATIENCE.total:.0f} seconds.")
        if reason == "broken_off":
            return Refusal(400, "body_broken_off", "The connection closed before the body was complete.")
        return busy()


def busy() -> Refusal:
    """Return the refusal of a body for which there is no room."""
    return Refusal(503, "busy", "Too much is being received at the moment; send the events again.", 1)


def secret_intake() -> Intake:
    """Return the intake of those who named a secret key before their body."""
    return Intake(MAX_BODY, max_bytes=128 * 1024 * 1024, max_bodies=1000)


def public_intake() -> Intake:
    """Return the intake of everybody else."""
    return Intake(MAX_PUBLIC_BODY, max_bytes=32 * 1024 * 1024, max_bodies=1000)
