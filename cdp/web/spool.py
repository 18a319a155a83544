"""An answer that is made while it is sent: a thread writes it to a file, the event loop sends what is there.

So a reader that takes its time holds a file and no thread, and one that hurries has the first lines at once.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterable

from cdp.common.asgi import PIECE, ReaderTooSlow, Send, send_piece

MAX_BYTES = 16 * 1024**3
#: free disk is looked at each time this much was written
LOOK_EVERY = 64 * 1024 * 1024
#: a reader that takes fewer bytes a second than this is given up after a minute
SLOWEST = 16 * 1024
GRACE_SECONDS = 60.0


class SpoolFull(Exception):
    """The answer is larger than a disk should hold for one reader; it breaks off."""


class Spool:
    """One answer under way. Make it on the loop; `write` belongs to a thread, `send` to the loop."""

    def __init__(self, *, min_free: int) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
        self._min_free = min_free
        self._loop = asyncio.get_running_loop()
        self._grown = asyncio.Event()
        self._written = 0
        self._done = False
        self._abandoned = False

    def write(self, pieces: Iterable[bytes]) -> None:
        """Write all pieces, or until nobody reads on. Whatever goes wrong ends the answer for its reader too."""
        waiting: list[bytes] = []
        size = 0
        looked = 0
        for piece in pieces:
            waiting.append(piece)
            size += len(piece)
            if size < PIECE:
                continue
            if self._abandoned:
                return
            self._flush(b"".join(waiting))
            waiting, size = [], 0
            if self._written - looked >= LOOK_EVERY:
                looked = self._written
                self._require_room()
        self._flush(b"".join(waiting))

    def _flush(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            count = os.write(self._file.fileno(), view)
            view = view[count:]
        self._written += len(data)
        self._loop.call_soon_threadsafe(self._grown.set)

    def _require_room(self) -> None:
        if self._written > MAX_BYTES or shutil.disk_usage(tempfile.gettempdir()).free < self._min_free:
            raise SpoolFull

    def finish(self) -> None:
        """Say that nothing more comes; on the loop."""
        self._done = True
        self._grown.set()

    async def begun(self) -> None:
        """Wait for the first piece, or the end."""
        await self._grown.wait()

    def abandon(self) -> None:
        """Let the writer end at its next piece: nobody reads on."""
        self._abandoned = True

    async def send(self, send: Send) -> None:
        """Send what is written, and what comes; raise ReaderTooSlow."""
        sent, waited, began = 0, 0.0, self._loop.time()
        while sent < self._written or not self._done:
            if sent == self._written:
                paused = self._loop.time()
                self._grown.clear()
                if sent == self._written and not self._done:
                    await self._grown.wait()
                waited += self._loop.time() - paused
                continue
            piece = os.pread(self._file.fileno(), PIECE, sent)
            await send_piece(send, piece)
            sent += len(piece)
            if self._loop.time() - began - waited > GRACE_SECONDS + sent / SLOWEST:
                raise ReaderTooSlow

    def close(self) -> None:
        """Give the room back; when nobody writes any more."""
        self._file.close()
