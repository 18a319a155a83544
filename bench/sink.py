"""An SMTP server that takes everything and keeps a count: the fast end for measuring how fast mail is handed over."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class _Talk(asyncio.Protocol):
    def __init__(self, count: Any) -> None:
        self.count = count
        self.buffer = b""
        self.in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # a TCP transport it is
        self.transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer everything that came in one packet, as RFC 2920 asks of those who offer PIPELINING."""
        self.buffer += data
        self.answers: list[bytes] = []
        self._answer_all()
        if self.answers:
            self.transport.write(b"".join(self.answers))

    def _answer_all(self) -> None:
        while True:
            if self.in_data:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return
                self.buffer = self.buffer[end + 5 :]
                self.in_data = False
                with self.count.get_lock():
                    self.count.value += 1
                self.answers.append(b"250 2.0.0 ok\r\n")
                continue
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                return
            self.buffer = rest
            verb = line[:4].upper()
            if verb == b"DATA":
                self.in_data = True
                # The final dot is searched with the line end before it, so give the body one to begin with.
                self.buffer = b"\r\n" + self.buffer if self.buffer.startswith(b".") else self.buffer
                self.answers.append(b"354 go on\r\n")
            elif verb == b"QUIT":
                self.transport.write(b"".join([*self.answers, b"221 bye\r\n"]))
                self.answers.clear()
                self.transport.close()
                return
            elif verb == b"EHLO":
                self.answers.append(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n")
            else:
                self.answers.append(b"250 ok\r\n")


@dataclass(frozen=True)
class Sink:
    """A running sink."""

    port: int
    _count: Any

    @property
    def accepted(self) -> int:
        """Return how many messages it took."""
        return int(self._count.value)


def _serve(listener: socket.socket, count: Any) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _Talk(count), sock=listener)
        async with server:
            await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def running_sink() -> Iterator[Sink]:
    """Run a sink in a process of its own for as long as the block lasts."""
    context = multiprocessing.get_context("fork")
    count = context.Value("q", 0)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    process = context.Process(target=_serve, args=(listener, count), daemon=True)
    process.start()
    try:
        yield Sink(listener.getsockname()[1], count)
    finally:
        process.terminate()
        process.join(5)
        listener.close()
