"""A small HTTP load on loopback: a fixed number of requests over kept-alive connections, times of each noted."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True)
class LoadResult:
    """What the load saw. Latencies are in seconds, sorted."""

    requests: int
    failed: int
    seconds: float
    latencies: Sequence[float]

    @property
    def per_second(self) -> float:
        """Return requests answered with 200 per second."""
        return (self.requests - self.failed) / self.seconds

    @property
    def p99(self) -> float:
        """Return the latency that 99 of 100 requests stayed under, in seconds."""
        return self.percentile(0.99)

    def percentile(self, share: float) -> float:
        """Return the latency that `share` of the requests stayed under."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


class _Connection(asyncio.Protocol):
    """One kept-alive connection: sends the next request when the answer's last byte came."""

    def __init__(self, requests: list[bytes], done: asyncio.Future[None]) -> None:
        self.requests = requests
        self.done = done
        self.latencies: list[float] = []
        self.failed = 0
        self.buffer = b""
        self.started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # a TCP transport it is
        self._next()

    def _next(self) -> None:
        if not self.requests:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self.started = time.perf_counter()
        self.transport.write(self.requests.pop())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if len(body) < length:
            return
        self.latencies.append(time.perf_counter() - self.started)
        if not self.buffer.startswith(b"HTTP/1.1 200"):
            self.failed += 1
        self.buffer = body[length:]
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self.failed += len(self.requests)
        if not self.done.done():
            self.done.set_result(None)


async def _run(port: int, bodies: Sequence[bytes], headers: bytes, path: str, connections: int) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n".encode() + headers
    requests = [head + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies]
    shares = [requests[number::connections] for number in range(connections)]
    made: list[_Connection] = []
    waits = []
    for share in shares:
        done: asyncio.Future[None] = loop.create_future()
        waits.append(done)
        _transport, connection = await loop.create_connection(partial(_Connection, share, done), "127.0.0.1", port)
        made.append(connection)
    await asyncio.gather(*waits)
    return made


def _client(job: tuple[int, list[bytes], bytes, str, int]) -> list[tuple[list[float], int]]:
    port, bodies, headers, path, connections = job
    return [(one.latencies, one.failed) for one in asyncio.run(_run(port, bodies, headers, path, connections))]


def post(
    *,
    port: int,
    path: str,
    bodies: Sequence[bytes],
    headers: bytes = b"",
    connections: int = 64,
    clients: int = 1,
) -> LoadResult:
    """POST each of `bodies` once, from `clients` processes over `connections` in all, and return what they saw.

    The load ends by itself when every request is answered.
    """
    jobs = [(port, list(bodies[one::clients]), headers, path, connections // clients) for one in range(clients)]
    if clients == 1:
        started = time.perf_counter()
        parts = _client(jobs[0])
        seconds = time.perf_counter() - started
    else:
        with multiprocessing.get_context("fork").Pool(clients) as pool:
            started = time.perf_counter()
            parts = [part for share in pool.map(_client, jobs) for part in share]
            seconds = time.perf_counter() - started
    latencies = sorted(latency for share, _failed in parts for latency in share)
    return LoadResult(len(latencies), sum(failed for _share, failed in parts), seconds, latencies)
