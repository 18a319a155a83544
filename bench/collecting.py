"""The collector: requests of one event and of a hundred, each answered after its commit."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

from bench import events, wrk
from bench.dataset import running_web
from bench.figures import Figure
from bench.load import LoadResult, post
from bench.wrk import WrkResult

SINGLES, BATCHES, SIZE, CONNECTIONS = 40_000, 600, 100, 64


def measure() -> Iterator[Figure]:
    """Yield the figures of the collector."""
    from profiles.services.sources import create_source

    _source, key = create_source(name="Bench", kind="server")
    authorization = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
    headers = f"Authorization: {authorization}\r\n".encode()
    batches = events.batches(BATCHES, SIZE, people=5_000)
    with running_web() as port:
        bare, one = _singles(port, authorization, headers)
        many = post(port=port, path="/v1/batch", bodies=batches, headers=headers, connections=16)
    load = "wrk" if wrk.installed() else "a load in Python, itself near its limit: install wrk"
    failed = one.failed + many.failed
    yield Figure(
        what="collector, one event a request",
        value=one.per_second,
        unit="requests/s",
        bare=bare.per_second,
        bare_what="answered, not stored",
        budget=8_000,
        note=f"load by {load}" + (f"; {failed} refused" if failed else ""),
    )
    yield Figure(
        what="collector, one event a request, p99",
        value=one.p99 * 1000,
        unit="ms",
        bare=bare.p99 * 1000,
        bare_what="ms not stored",
        budget=50,
        lower_is_better=True,
    )
    yield Figure(
        what=f"collector, batches of {SIZE}",
        value=many.per_second * SIZE,
        unit="events/s",
        bare=_bare_copy(batches) * SIZE,
        bare_what="COPY of the bodies",
        budget=40_000,
    )


def _singles(port: int, authorization: str, headers: bytes) -> tuple[LoadResult | WrkResult, LoadResult | WrkResult]:
    """Return what the load saw of requests that are answered without being stored, and of those that are stored."""
    if wrk.installed():
        wrk.post_singles(port=port, path="/v1/track", authorization=authorization, connections=CONNECTIONS, seconds=2)
        bare = wrk.post_singles(port=port, path="/v1/m", authorization=authorization, connections=CONNECTIONS)
        one = wrk.post_singles(port=port, path="/v1/track", authorization=authorization, connections=CONNECTIONS)
        return bare, one
    singles = events.singles(SINGLES, people=5_000)
    post(port=port, path="/v1/track", bodies=singles[:2_000], headers=headers, connections=CONNECTIONS)
    return (
        post(port=port, path="/v1/m", bodies=singles, headers=headers, connections=CONNECTIONS),
        post(port=port, path="/v1/track", bodies=singles, headers=headers, connections=CONNECTIONS),
    )


def _bare_copy(bodies: list[bytes]) -> float:
    """Return bodies a second that a bare COPY in one transaction stores."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_raw (LIKE profiles_rawmessage INCLUDING ALL)")
        started = time.perf_counter()
        with cursor.copy("COPY bench_raw (id, received_at, source_id, endpoint, user_agent, body) FROM STDIN") as copy:
            for number, body in enumerate(bodies):
                copy.write_row((number, "2026-01-01", 1, "batch", "bench", body))
        seconds = time.perf_counter() - started
        cursor.execute("DROP TABLE bench_raw")
    return len(bodies) / seconds
