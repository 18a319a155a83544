"""What the settings of a connection promise, seen on the server."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from django.db import connection

from tests.live import REPOSITORY, process_environment

_PROGRAM = """
import django; django.setup()
from django.db import connection
cursor = connection.cursor()
cursor.execute("SET application_name = 'killed in a statement'; SET statement_timeout = 0")
print("ready", flush=True)
cursor.execute("SELECT pg_sleep(300)")
"""


@pytest.mark.django_db(transaction=True)
def test_the_server_ends_the_statement_of_a_process_that_was_killed() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], cwd=REPOSITORY, env=process_environment(0), stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        _until(1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    _until(0)


def _until(sessions: int) -> None:
    end = time.monotonic() + 60
    while _sleeping() != sessions:
        assert time.monotonic() < end, f"{_sleeping()} sessions instead of {sessions}"
        time.sleep(0.2)


def _sleeping() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'killed in a statement' AND state = 'active'"
        )
        return int(cursor.fetchone()[0])
