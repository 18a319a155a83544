"""The embedded PostgreSQL starts beside strangers, after cuts, and never signals a process that is not its own.

Covers F3 (a reused process id in postmaster.pid), F20 (initdb cut short).
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp.embedded import postgres
from cdp.embedded.postgres_commands import Server
from tests.faults.processes import process_of_our_own

START = """
import sys
from pathlib import Path
from cdp.embedded import postgres
postgres.ensure_running(Path(sys.argv[1]))
"""


@pytest.fixture
def var_dir() -> Iterator[Path]:
    # Not pytest's folder, which every run of pytest closes to other users: PostgreSQL's own must pass through.
    with tempfile.TemporaryDirectory(prefix="kb-postgres-") as folder:
        yield Path(folder)
        postgres.stop(Path(folder))


def server_of(var_dir: Path) -> Server:
    return Server(var_dir, postgres.socket_dir(var_dir))


def bear_the_number(server: Server, files: dict[Path, str], pid: int) -> None:
    """Put back the lock files of a server that was killed, with a number that somebody else bears now."""
    for path, text in files.items():
        path.write_text(f"{pid}\n" + text.split("\n", 1)[1])
        os.chown(path, server.uid, server.gid)


def test_a_reused_process_id_belongs_to_a_stranger_who_is_left_alone(var_dir: Path) -> None:
    postgres.ensure_running(var_dir)
    server = server_of(var_dir)
    paths = (server.data / "postmaster.pid", server.sockets / ".s.PGSQL.5432.lock")
    files = {path: path.read_text() for path in paths}
    postgres.stop(var_dir)
    with process_of_our_own(["sleep", "300"], user=server.uid) as stranger:
        bear_the_number(server, files, stranger.pid)
        postgres.ensure_running(var_dir)
        assert server.answers()
        assert stranger.poll() is None, "the start killed a process that only bears the old number"
        assert postgres.stop(var_dir)
        bear_the_number(server, files, stranger.pid)
        assert not postgres.stop(var_dir), "there was nothing of ours to stop"
        assert stranger.poll() is None, "the stop killed a process that only bears the old number"


def test_a_server_that_lost_its_socket_is_found_by_its_data_and_begun_anew(var_dir: Path) -> None:
    postgres.ensure_running(var_dir)
    server = server_of(var_dir)
    first = server.postmaster()
    for path in postgres.socket_dir(var_dir).iterdir():
        path.unlink()
    postgres.ensure_running(var_dir)
    assert server.answers()
    assert first is not None and server.postmaster() not in (None, first)


def test_an_initdb_that_was_cut_short_is_made_again(var_dir: Path) -> None:
    server = server_of(var_dir)
    server.home.mkdir(mode=0o700)
    os.chown(server.home, server.uid, server.gid)
    cut = 0
    for wait in (0.05, 0.15, 0.3, 0.5):
        with process_of_our_own(["python", "-c", START, str(var_dir)], python=True) as starting:
            end = time.monotonic() + 30
            while not any(server.home.glob("data*")) and time.monotonic() < end and starting.poll() is None:
                time.sleep(0.005)
            time.sleep(wait)
            if starting.poll() is None and not (server.data / "postmaster.pid").exists():
                os.killpg(starting.pid, signal.SIGKILL)
                cut += 1
    assert cut, "no start was cut: the test shows nothing"
    postgres.ensure_running(var_dir)
    assert server.answers()
    assert [path.name for path in server.home.glob("data*")] == ["data"]


def test_a_database_that_was_not_made_yet_is_made_at_the_next_start(var_dir: Path) -> None:
    postgres.ensure_running(var_dir)
    server = server_of(var_dir)
    server.execute(f'DROP DATABASE "{postgres.DATABASE}"')
    postgres.ensure_running(var_dir)
    assert server.execute("SELECT datname FROM pg_database").count(postgres.DATABASE) == 1


def test_an_orphan_of_a_killed_server_is_waited_for(var_dir: Path) -> None:
    postgres.ensure_running(var_dir)
    server = server_of(var_dir)
    pid = server.postmaster()
    assert pid is not None
    with subprocess.Popen(
        [server.binaries / "psql", "-X", "-h", str(server.sockets), "-U", "postgres", "-c", "SELECT pg_sleep(300)"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as session:
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        postgres.ensure_running(var_dir)
        assert server.answers() and server.postmaster() != pid
        session.wait(10)
