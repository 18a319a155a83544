"""The worst that one hostile body does to all others: how long the collector's event loop stands still for it."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from bench.figures import Figure
from bench.hostile import packed, shapes

SIZE = 4 * 1024 * 1024 - 1024
#: the loop's own turn; what a turn takes longer is the hold
TURN = 0.001


def measure() -> Iterator[Figure]:
    """Yield the longest hold over all shapes, plain and compressed: with a secret key, a public one, and none."""
    from profiles.services.sources import create_source

    _source, secret = create_source(name="Held till", kind="server")
    _source, public = create_source(name="Held shop", kind="browser")
    for name, key in (("a secret key", secret), ("a public key", public), ("no key", "")):
        held, shape = asyncio.run(_worst(key))
        yield Figure(
            what=f"worst hostile body holds the loop, {name}",
            value=held * 1000,
            unit="ms",
            budget=100,
            lower_is_better=True,
            note=shape,
        )


async def _worst(key: str) -> tuple[float, str]:
    from cdp.asgi import collector_config
    from profiles.collector.app import Collector

    collector = Collector(collector_config())
    collector.start()
    await _post(collector, b"{}", key)  # the sources are read now
    worst = (0.0, "")
    for name, body in shapes(SIZE).items():
        for way, data in (("", body), (", gzip", packed(body)), (", 100 members", packed(body, "members"))):
            # Some of what is seen is the machine's: the better of two.
            held = min([await _held(collector, data, key, bool(way)) for _try in range(2)])
            worst = max(worst, (held, name + way))
    await collector.stop()
    return worst


async def _held(collector: Any, body: bytes, key: str, compressed: bool) -> float:
    longest = 0.0

    async def turn() -> None:
        nonlocal longest
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TURN)
            longest = max(longest, time.perf_counter() - began - TURN)

    turning = asyncio.create_task(turn())
    await asyncio.sleep(3 * TURN)
    longest = 0.0
    await _post(collector, body, key, compressed)
    await asyncio.sleep(3 * TURN)
    turning.cancel()
    return longest


async def _post(collector: Any, body: bytes, key: str, compressed: bool = False) -> None:
    headers = [(b"authorization", b"Basic " + b64encode(f"{key}:".encode()))] if key else []
    if compressed:
        headers.append((b"content-encoding", b"gzip"))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_message: Any) -> None:
        return None

    scope = {"type": "http", "method": "POST", "path": "/v1/batch", "query_string": b"", "headers": headers}
    await collector(scope, receive, send)
