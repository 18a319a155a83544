"""The processor: identity, traits, interactions and the touched queue, one worker, beside a bare COPY."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from bench import events
from bench.figures import Figure

BATCHES, SIZE, PEOPLE = 1_000, 100, 20_000


def measure() -> Iterator[Figure]:
    """Yield the figures of the processor."""
    from profiles.processing.drain import drain_inbox

    _clear_inbox()
    _fill(events.batches(BATCHES, SIZE, people=PEOPLE, seed=3))
    done = BATCHES * SIZE
    usage = resource.getrusage(resource.RUSAGE_SELF)
    before, busy = usage.ru_maxrss, time.process_time() + _backend_seconds()
    started = time.perf_counter()
    while drain_inbox():
        pass
    seconds = time.perf_counter() - started
    busy = time.process_time() + _backend_seconds() - busy
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    yield Figure(
        what="processing, one worker",
        value=done / seconds,
        unit="events/s",
        bare=_bare_copy(),
        bare_what="COPY of the rows",
        budget=12_000,
        note=f"{done:,} messages, {done / busy:,.0f} per second of processor time, memory grew by {grown:.0f} MB",
    )


def _backend_seconds() -> float:
    """Return the processor time of this connection's PostgreSQL process; waiting on a busy machine is not in it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        row = cursor.fetchone()
    assert row is not None
    try:
        fields = Path(f"/proc/{row[0]}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # another system, or a server elsewhere: then only the worker's own time is known
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _clear_inbox() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM profiles_inbox")


def _fill(bodies: list[bytes]) -> None:
    from django.db import connection
    from django.utils import timezone

    from profiles.services.sources import create_source

    source, _key = create_source(name="Bench inbox", kind="server")
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('profiles_raw_id_seq') FROM generate_series(1, %s)", [len(bodies)])
        ids = [row[0] for row in cursor.fetchall()]
        with cursor.copy(
            "COPY profiles_rawmessage (id, received_at, source_id, endpoint, user_agent, body) FROM STDIN"
        ) as copy:
            for number, body in zip(ids, bodies, strict=True):
                copy.write_row((number, now, source.pk, "batch", "bench", body))
        with cursor.copy("COPY profiles_inbox (raw_id, received_at, source_id, attempts) FROM STDIN") as copy:
            for number in ids:
                copy.write_row((number, now, source.pk, 0))


def _bare_copy() -> float:
    """Return rows a second that a bare COPY of the same interactions, same indexes, stores."""
    from django.db import connection

    columns = "profiles_interaction"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE bench_interaction (LIKE {columns} INCLUDING ALL)")
        with cursor.copy(f"COPY (SELECT * FROM {columns}) TO STDOUT") as copy:
            rows = b"".join(bytes(part) for part in copy)
        count = rows.count(b"\n")
        started = time.perf_counter()
        with cursor.copy("COPY bench_interaction FROM STDIN") as copy:
            copy.write(rows)
        seconds = time.perf_counter() - started
        cursor.execute("DROP TABLE bench_interaction")
    return count / seconds
