"""The supervisor, with small programs in the place of ours: who is replaced, who is ended, who is left alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cdp.processes import supervisor as module
from cdp.processes.alive import silent
from cdp.processes.heartbeat_file import HeartbeatFile, signs_in
from cdp.processes.output import Output
from cdp.processes.ownership import MARK, AlreadyRunning, Ownership, listener_of
from cdp.processes.supervisor import Child, Supervisor
from tests.faults.processes import process_of_our_own
from tests.live import REPOSITORY

#: shows signs of life, and has a child of its own in another process group
BEATING = """
import subprocess, sys, time
from pathlib import Path
from cdp.processes.heartbeat_file import HeartbeatFile
below = subprocess.Popen(["sleep", "300"], process_group=0)
print(below.pid, flush=True)
file = HeartbeatFile(Path(sys.argv[1]), "beating")
while True:
    file.beat()
    time.sleep(0.05)
"""
#: a supervisor as a program: prints the numbers of its child and of itself
MINDING = """
import os, sys
from pathlib import Path
from cdp.processes.output import output, say
from cdp.processes.ownership import Ownership
from cdp.processes.supervisor import Child, Supervisor
var_dir, again = Path(sys.argv[1]), sys.argv[2]
ownership = Ownership.take(var_dir, "run", port=1)
print("ended", len(ownership.end_leftovers()), flush=True)
child = Child("talks", [sys.executable, "-c", "import time\\nwhile True: print('x' * 50, flush=True); time.sleep(.05)"])
minding = Supervisor([child], folder=Path.cwd(), var_dir=var_dir, environment=ownership.environment())
minding.stop_on_signals()
minding.look()
print("child", child.process.pid, flush=True)
minding.run()
minding.stop()
"""


def until(done: Callable[[], object], supervisor: Supervisor | None = None, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come about"
        if supervisor is not None:
            supervisor.look()
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def minded(tmp_path: Path) -> Iterator[tuple[Supervisor, Child]]:
    child = Child("beating", [sys.executable, "-c", BEATING, str(tmp_path)], watched=True)
    supervisor = Supervisor([child], folder=REPOSITORY, var_dir=tmp_path, environment=dict(os.environ))
    until(lambda: any(sign.name == "beating" for sign in signs_in(tmp_path)), supervisor)
    yield supervisor, child
    supervisor.stop()


def below(pid: int) -> int:
    return psutil.Process(pid).children()[0].pid


def test_one_that_hangs_is_replaced_with_all_that_it_started(
    minded: tuple[Supervisor, Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, child = minded
    assert child.process is not None
    first = child.process.pid
    under = below(first)
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.5)
    os.kill(first, signal.SIGSTOP)
    until(lambda: child.process is not None and child.process.pid != first, supervisor)
    assert gone(first) and gone(under)


def test_one_that_works_is_left_alone_however_old_its_start(
    minded: tuple[Supervisor, Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, child = minded
    assert child.process is not None
    first = child.process.pid
    monkeypatch.setattr(module, "SILENT_SECONDS", 2.0)
    monkeypatch.setattr(module, "START_SECONDS", 0.0)
    until(lambda: supervisor._looks > 60, supervisor)
    assert child.process is not None and child.process.pid == first


def test_one_look_that_finds_it_silent_is_not_enough(
    minded: tuple[Supervisor, Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, child = minded
    assert child.process is not None
    first = child.process.pid
    monkeypatch.setattr(module, "SILENT_SECONDS", -1.0)  # as all look after a machine was asleep
    for _look in range(module.SUSPICIONS - 1):
        supervisor.look()
    monkeypatch.setattr(module, "SILENT_SECONDS", 30.0)
    until(lambda: child.suspicions == 0, supervisor)
    assert child.process is not None and child.process.pid == first


def test_one_that_dies_takes_its_own_children_along(minded: tuple[Supervisor, Child]) -> None:
    supervisor, child = minded
    assert child.process is not None
    first = child.process.pid
    under = below(first)
    os.kill(first, signal.SIGKILL)
    until(lambda: child.process is None, supervisor)
    until(lambda: gone(under))


def test_a_supervisor_killed_hard_takes_its_children_along(tmp_path: Path) -> None:
    command = ["python", "-c", MINDING, str(tmp_path), ""]
    with process_of_our_own(command, python=True, stdout=subprocess.PIPE, text=True) as minding:
        assert minding.stdout is not None
        pids = dict(minding.stdout.readline().split() for _line in range(2))
        child = int(pids["child"])
        assert not gone(child)
        minding.kill()
        minding.wait()
        until(lambda: gone(child), seconds=10)


def test_a_start_ends_what_was_left_behind_and_only_that(tmp_path: Path) -> None:
    first = Ownership.take(tmp_path, "run", port=1)
    mark = first.environment()[MARK]
    with (
        process_of_our_own(["sleep", "300"], env={**os.environ, MARK: mark}) as leftover,
        process_of_our_own(["sleep", "300"], env={**os.environ, MARK: "another"}) as other,
        process_of_our_own(["sleep", "300"]) as stranger,
    ):
        first.release()  # as its death would
        second = Ownership.take(tmp_path, "run", port=2)
        assert second.end_leftovers() == ["sleep 300"]
        leftover.wait(10)  # raises when it lives; its status may have been taken by who waited for it before us
        assert other.poll() is None and stranger.poll() is None
        assert second.end_leftovers() == []
        second.release()


def test_a_second_one_in_the_folder_learns_who_is_first(tmp_path: Path) -> None:
    first = Ownership.take(tmp_path, "run", port=8123)
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}") as refusal:
        Ownership.take(tmp_path, "run", port=9000)
    assert refusal.value.owner["port"] == 8123
    Ownership.take(tmp_path, "work").release()  # another role is free
    first.release()
    Ownership.take(tmp_path, "run").release()


def test_when_nobody_reads_any_more_it_ends_and_leaves_nobody(tmp_path: Path) -> None:
    command = ["python", "-c", MINDING, str(tmp_path), ""]
    with process_of_our_own(command, python=True, stdout=subprocess.PIPE, text=True) as minding:
        assert minding.stdout is not None
        pids = dict(minding.stdout.readline().split() for _line in range(2))
        minding.stdout.close()
        assert minding.wait(30) == 0
        assert gone(int(pids["child"]))


def test_a_broken_output_is_told_once_and_never_raises() -> None:
    told: list[str] = []
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        output = Output(stream, on_broken=lambda: told.append("broken"))
        os.close(read)
        for _line in range(3):
            output.write("run", "text")
    assert told == ["broken"]


def test_the_port_is_told_with_its_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert str(os.getpid()) in listener_of(listener.getsockname()[1])


def test_the_probe_of_a_container(tmp_path: Path) -> None:
    assert silent(tmp_path, [], 0) == ["no process at all"]
    HeartbeatFile(tmp_path, "events").beat()
    now = time.monotonic()
    assert silent(tmp_path, [], now) == [] == silent(tmp_path, ["events"], now)
    assert silent(tmp_path, ["events", "beat"], now) == ["beat: no sign"]
    assert "last sign" in silent(tmp_path, [], now + 100)[0]
    done = subprocess.run(
        [sys.executable, "-m", "cdp.processes.alive"],
        cwd=REPOSITORY,
        env={**os.environ, "VAR_DIR": str(tmp_path)},
        capture_output=True,
    )
    assert done.returncode == 0
