"""When a process gives itself up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cdp.processes.heartbeat_file import MACHINE_VARIABLE, HeartbeatFile, signs_in
from cdp.processes.watchdog import DEAF, GAVE_UP, SILENT_CONNECTING, SILENT_LOOP, Activity, Run, Watchdog, complaint
from tests.live import REPOSITORY

NOW = 10_000.0


def activity(**values: object) -> Activity:
    at_work = {"turned": NOW - 1, "heard": NOW - 1, "connected": True}
    return Activity(**{**at_work, **values})  # type: ignore[arg-type]  # a table of whatever is unusual


@pytest.mark.parametrize(
    ("unusual", "reason"),
    [
        ({}, ""),
        ({"turned": NOW - SILENT_LOOP - 1}, "main loop"),
        ({"turned": NOW - SILENT_LOOP - 1, "connected": False}, ""),
        ({"turned": NOW - SILENT_CONNECTING - 1, "connected": False}, "main loop"),
        ({"runs": {"a": Run("segments.sweep", NOW - 99, 100)}}, ""),
        ({"runs": {"a": Run("segments.sweep", NOW - 101, 100)}}, "segments.sweep has been at work"),
        # Long work is not silence: the loop turns beside it.
        ({"runs": {"a": Run("profiles.run_import", NOW - 3000, 7200)}}, ""),
        ({"heard": NOW - DEAF - 1}, ""),
        ({"heard": NOW - DEAF - 1, "beat_since": NOW - DEAF - 1}, "no wake-up"),
        ({"heard": NOW - DEAF - 1, "beat_since": NOW - 10}, ""),
        ({"heard": NOW - DEAF - 1, "beat_since": NOW - DEAF - 1, "connected": False}, ""),
        # All its threads are taken: it asks for no wake-up, and so hears none.
        ({"heard": NOW - 500, "beat_since": NOW - 500, "runs": {"a": Run("t", NOW - 490, 7200)}}, ""),
        ({"heard": NOW - 500, "beat_since": NOW - 500, "runs": {"a": Run("t", NOW, 7200)}, "threads": 2}, "no wake-up"),
        ({"stopping_since": NOW - 5, "turned": NOW - 500}, ""),
        ({"stopping_since": NOW - SILENT_LOOP - 1}, "asked to stop"),
        ({"stopping_since": NOW - 500, "runs": {"a": Run("t", NOW - 400, 7200)}}, ""),
    ],
)
def test_what_counts_as_hung(unusual: dict[str, object], reason: str) -> None:
    said = complaint(activity(**unusual), NOW)
    assert reason in said if reason else said == ""


def test_a_process_that_is_well_beats_and_one_that_hangs_ends(tmp_path: Path) -> None:
    codes: list[int] = []
    well = Activity(turned=time.monotonic(), heard=time.monotonic(), connected=True)
    dog = Watchdog(well, HeartbeatFile(tmp_path, "events"), give_up=codes.append)
    dog.look()
    (sign,) = signs_in(tmp_path)
    assert (sign.name, sign.pid) == ("events", os.getpid())
    assert abs(sign.at - time.monotonic()) < 5 and codes == []
    well.turned -= SILENT_LOOP + 1
    dog.look()
    assert codes == [GAVE_UP]


def test_the_sign_of_a_process_that_is_gone_is_cleared_away(tmp_path: Path) -> None:
    file = HeartbeatFile(tmp_path, "events")
    file.beat()
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (file.path.parent / f"events.{int(gone.stdout)}.1.alive").touch()
    (file.path.parent / f"events.{os.getpid()}.1.alive").touch()  # whose number we bear now
    assert [sign.pid for sign in signs_in(tmp_path)] == [os.getpid()]
    assert len(list(file.path.parent.iterdir())) == 1


def test_machines_that_share_a_folder_leave_each_others_signs_alone(tmp_path: Path) -> None:
    write = "from pathlib import Path; import sys; from cdp.processes.heartbeat_file import HeartbeatFile;"
    write += "HeartbeatFile(Path(sys.argv[1]), 'events').beat()"
    elsewhere = {**os.environ, MACHINE_VARIABLE: "another-machine"}
    subprocess.run([sys.executable, "-c", write, str(tmp_path)], cwd=REPOSITORY, env=elsewhere, check=True)
    HeartbeatFile(tmp_path, "beat").beat()
    assert [sign.name for sign in signs_in(tmp_path)] == ["beat"]
    assert len(list((tmp_path / "run" / "another-machine").iterdir())) == 1


HUNG = """
import sys, threading, time
from pathlib import Path
from cdp.processes import watchdog
from cdp.processes.heartbeat_file import HeartbeatFile
watchdog.SILENT_CONNECTING = 0.5
watchdog.Watchdog(watchdog.start_activity(), HeartbeatFile(Path(sys.argv[1]), "events")).start()
lock = threading.Lock()
lock.acquire()
lock.acquire()
"""


def test_a_hung_process_really_ends_whatever_lock_it_waits_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HUNG, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == GAVE_UP
    assert "the main loop has not turned" in done.stderr


TOO_LARGE = """
import signal, sys, time
from pathlib import Path
from cdp.processes.heartbeat_file import HeartbeatFile
from cdp.processes.watchdog import Watchdog, start_activity
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
Watchdog(start_activity(), HeartbeatFile(Path(sys.argv[1]), "events"), max_bytes=1).start()
time.sleep(60)
"""


def test_a_process_that_grew_too_large_is_asked_to_end(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", TOO_LARGE, str(tmp_path)], cwd=REPOSITORY, timeout=60)
    assert done.returncode == 0
