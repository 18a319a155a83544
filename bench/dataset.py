"""The database of a measurement: fresh, its own, with the same schema and durability as a real one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

BASE_DIR = Path(__file__).resolve().parent.parent


def prepare() -> None:
    """Make the measurement's database anew and set Django up on it.

    It lives below VAR_DIR (default var/bench) in its own embedded server; a DATABASE_URL is refused, for what is
    measured here empties the database first.
    """
    if os.environ.get("DATABASE_URL"):
        sys.exit("`make bench` empties its database: unset DATABASE_URL, it brings a server of its own.")
    os.environ["VAR_DIR"] = str(Path(os.environ.get("VAR_DIR") or BASE_DIR / "var") / "bench")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cdp.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")

    from cdp.embedded.postgres import DATABASE, database_url, ensure_running

    folder = Path(os.environ["VAR_DIR"])
    ensure_running(folder)
    with psycopg.connect(database_url(folder, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")

    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def finish() -> None:
    """Stop the measurement's server."""
    from cdp.embedded.postgres import stop

    stop(Path(os.environ["VAR_DIR"]))


def timed_sql(sql: str, params: Any = None) -> float:
    """Run one statement in its own transaction; return the seconds it took."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        started = time.perf_counter()
        cursor.execute(sql, params)
    return time.perf_counter() - started


@contextmanager
def running_web() -> Iterator[int]:
    """Run the real web process on a free port for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "cdp.web", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--no-access-log", "--log-level", "warning"],
        cwd=BASE_DIR,
        env={**os.environ, "PORT": str(port), "SITE_URL": f"http://127.0.0.1:{port}"},
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1/m")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(url: str) -> None:
    for _attempt in range(200):
        try:
            urllib.request.urlopen(urllib.request.Request(url, data=b"{}", method="POST"), timeout=1)
            return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise RuntimeError("the web process did not answer within 20 s")
