"""`manage.py run` that is killed, or loses its terminal, leaves nobody behind; the next start finds the place clean.

Covers E1 (whole group), F6, F7 (killed hard; own leftovers), F13 (no secret key), F23 (closed output).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from cdp.processes.ownership import MARK
from tests.faults.installation import eventually, installation
from tests.faults.processes import REPOSITORY, process_of_our_own


@pytest.mark.long
def test_killed_hard_it_takes_all_along_and_the_next_one_goes_on() -> None:
    with installation() as product:
        product.start()
        product.wait_ready()
        product.collect(3)
        assert product.process is not None
        product.process.kill()
        product.process.wait()
        eventually(lambda: not product.processes(), "every process dies with the one that minds it", 15)
        # What the kernel cannot take along (another system, a lost process): marked as ours, it is found and ended.
        mark = {**os.environ, MARK: product.owner()["mark"]}
        stranger = {**os.environ, MARK: "f" * 32}
        with (
            process_of_our_own(["sleep", "300"], env=mark) as leftover,
            process_of_our_own(["sleep", "300"], env=stranger) as other,
        ):
            product.start()
            product.wait_ready()
            assert leftover.wait(10) == -signal.SIGKILL
            assert other.poll() is None
        eventually(lambda: product.stored() == 3, "what was accepted is processed")
        assert product.stop() == 0
        assert not product.processes()
        assert product.server.postmaster() is None


@pytest.mark.long
def test_a_reader_that_goes_away_ends_it_and_leaves_nobody() -> None:
    with installation() as product:
        read, write = os.pipe()
        product.start(stdout=write, stderr=write)
        os.close(write)
        product.wait_ready()
        ours = product.processes()
        assert len(ours) >= 8
        os.close(read)
        # The next line that any of them writes finds nobody to read it.
        product.kill("upkeep", signal.SIGKILL)
        assert product.process is not None
        assert product.process.wait(60) == 0
        assert not [process for process in ours if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
        assert product.server.postmaster() is None


def test_a_missing_secret_is_one_line_with_the_remedy() -> None:
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    done = subprocess.run(
        [sys.executable, "manage.py", "run"], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "SECRET_KEY is not set" in done.stderr and "Make one" in done.stderr
