"""The contact import: dry run and commit of one file by one worker, beside a bare COPY and upsert of its rows.

Rows: BENCH_ROWS (default 100,000). The processor time of both sides stands beside the wall clock, for on a shared
machine it is the steadier of the two.
"""

from __future__ import annotations

import io
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure

ROWS = int(os.environ.get("BENCH_ROWS") or 100_000)
#: a million rows, dry run and commit, in 60 s
BUDGET = 1_000_000 / 60
_TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> Iterator[Figure]:
    """Yield the figures of the import."""
    from profiles.importing import services as service
    from profiles.importing.runner import run_imports

    data = contacts(ROWS)
    job = service.receive_file(upload=io.BytesIO(data), name="contacts.csv", actor=None)
    clock = _Clock()
    service.start_check(import_id=job.pk, mapping=job.mapping)
    run_imports(3600)
    checked = clock.lap()
    service.confirm_import(import_id=job.pk, actor=None)
    run_imports(3600)
    committed = clock.lap()
    job.refresh_from_db()
    assert job.state == "done", (job.state, job.error_code)
    assert job.counts["outcomes"]["created"] == ROWS, job.counts
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    bare_seconds = _bare(data)
    yield Figure(
        what="import, dry run and commit",
        value=ROWS / (checked[0] + committed[0]),
        unit="rows/s",
        bare=ROWS / bare_seconds,
        bare_what="COPY and upsert",
        budget=BUDGET,
        note=f"{ROWS:,} rows; dry run {_spent(checked)}, commit {_spent(committed)}",
    )
    yield Figure(
        what="import, memory", value=memory, unit="MB", budget=300, lower_is_better=True, note="peak of the process"
    )


def contacts(rows: int) -> bytes:
    """Return a file of contacts with two identifiers and four traits each, all new."""
    lines = ["email;voornaam;achternaam;plaats;klantnummer;punten\n"]
    lines += [
        f"person{n}@example{n % 97}.org;Voor{n % 997};Achter{n % 9973};Plaats {n % 353};K{n:07d};{n % 1000}\n"
        for n in range(rows)
    ]
    return "".join(lines).encode()


def _spent(lap: tuple[float, float, float]) -> str:
    return f"{lap[0]:.1f} s ({lap[1]:.1f} s CPU Python, {lap[2]:.1f} s PostgreSQL)"


class _Clock:
    """Take laps of (seconds, processor seconds of this process, those of PostgreSQL)."""

    def __init__(self) -> None:
        self._last = self._now()

    def lap(self) -> tuple[float, float, float]:
        now = self._now()
        before, self._last = self._last, now
        return now[0] - before[0], now[1] - before[1], now[2] - before[2]

    def _now(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), _server_seconds()


def _server_seconds() -> float:
    """Return the processor time of all processes of the server, those that ended included; 0 where /proc is missing."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone() or (0,)
    if not Path(f"/proc/{backend}/stat").exists():
        return 0.0
    server = _stat(Path(f"/proc/{backend}/stat"))[1]
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _stat(entry)
        except OSError:  # it ended meanwhile
            continue
        if int(entry.parent.name) == server:
            ticks += sum(fields[11:15])
        elif fields[1] == server:
            ticks += sum(fields[11:13])
    return ticks / _TICKS


def _stat(path: Path) -> list[int]:
    """Return the numbers of a stat file from the state on (which stands as 0): see proc_pid_stat(5)."""
    words = path.read_text().rpartition(")")[2].split()
    return [0, *map(int, words[1:15])]


def _bare(data: bytes) -> float:
    """Return the seconds that PostgreSQL alone takes: the file into an unlogged table, one upsert of bare people."""
    from django.db import connection, transaction

    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "CREATE UNLOGGED TABLE bench_file (email text, first text, last text, city text, number text, points text)"
        )
        cursor.execute("CREATE TABLE bench_people (email text PRIMARY KEY, traits jsonb)")
        with cursor.copy("COPY bench_file FROM STDIN (FORMAT csv, DELIMITER ';', HEADER)") as copy:
            copy.write(data)
        cursor.execute(
            "INSERT INTO bench_people SELECT email, jsonb_build_object('first', first, 'last', last, 'city', city) "
            "FROM bench_file ON CONFLICT (email) DO UPDATE SET traits = excluded.traits"
        )
    seconds = time.perf_counter() - started
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bench_file, bench_people")
    return seconds
