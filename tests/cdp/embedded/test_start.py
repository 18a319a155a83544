"""Parts of `make run`: what stands in the way, who is kept running, how it ends."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from cdp.embedded.postgres import socket_dir
from cdp.embedded.postgres_commands import PostgresError, explain, make_private_folder
from cdp.embedded.preflight import troubles
from cdp.processes.supervisor import Child, Supervisor, describe
from tests.live import REPOSITORY


def wait_until(supervisor: Supervisor, done: object) -> None:
    end = time.monotonic() + 20
    while not done():  # type: ignore[operator]  # a function without arguments
        assert time.monotonic() < end, "it did not happen"
        supervisor.look()
        time.sleep(0.02)


def supervisor_of(child: Child, folder: Path) -> Supervisor:
    return Supervisor([child], folder=REPOSITORY, var_dir=folder, environment={})


def test_a_taken_port_is_named_with_the_mend(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = troubles(host="127.0.0.1", ports={"web": port}, var_dir=tmp_path)
    assert len(found) == 1
    assert f"Port {port} (web)" in found[0]
    assert "make run PORT=" in found[0]
    assert troubles(host="127.0.0.1", ports={"web": port}, var_dir=tmp_path) == []


def test_a_var_dir_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = troubles(host="127.0.0.1", ports={}, var_dir=tmp_path / "file" / "var")
    assert "Set VAR_DIR" in found[0]


def test_a_child_that_dies_is_started_again_after_a_growing_pause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = Child("web", [sys.executable, "-c", "print('hello'); raise SystemExit(3)"])
    supervisor = supervisor_of(child, tmp_path)
    wait_until(supervisor, lambda: child.pause == 2.0)
    wait_until(supervisor, lambda: child.pause == 4.0)
    supervisor.stop()
    shown = capsys.readouterr().out
    assert "web ended with exit code 3; starting it again in 1 s" in shown
    assert "     web | hello" in shown


def test_a_child_of_one_turn_is_not_started_again(tmp_path: Path) -> None:
    child = Child("demo", [sys.executable, "-c", "pass"], once=True)
    supervisor = supervisor_of(child, tmp_path)
    wait_until(supervisor, lambda: child.done)
    supervisor.look()
    assert child.process is None


def test_stop_ends_a_child_that_runs(tmp_path: Path) -> None:
    child = Child("web", [sys.executable, "-c", "import time; time.sleep(600)"])
    supervisor = supervisor_of(child, tmp_path)
    supervisor.look()
    process = child.process
    assert process is not None
    supervisor.stop()
    assert process.returncode is not None


@pytest.mark.parametrize(("code", "words"), [(1, "exit code 1"), (-9, "signal SIGKILL"), (-200, "signal 200")])
def test_exit_codes_are_told_in_words(code: int, words: str) -> None:
    assert describe(code) == words


def test_the_sockets_path_is_short_however_deep_the_data_are(tmp_path: Path) -> None:
    deep = tmp_path / ("folder" * 20)
    assert len(str(socket_dir(deep) / ".s.PGSQL.5432")) < 107
    assert socket_dir(deep) != socket_dir(tmp_path)


def test_a_link_in_the_sockets_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sockets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PostgresError, match="belongs to another user"):
        make_private_folder(tmp_path / "sockets", 0, 0)


def test_a_full_disk_is_told_with_its_mend() -> None:
    said = explain("It did not start.", "FATAL: could not write: No space left on device", None)
    assert "The disk is full" in said
    assert "could not write" in said
