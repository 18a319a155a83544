"""Two beats on one database: one fires; when it hangs the other takes over, and the first does not come back.

Covers E9 (two beats), F5.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from cdp.embedded import postgres
from tests.faults.installation import Installation, eventually, installation
from tests.faults.processes import process_of_our_own

pytestmark = pytest.mark.long
BEAT = ["python", "-m", "celery", "-q", "-A", "cdp", "beat", "--pidfile", ""]


def holder(product: Installation) -> tuple[int, int]:
    """Return the process that has the lease now and its fence; (0, 0) when none has it."""
    found = product.query("SELECT holder, fence FROM common_processlease WHERE until > clock_timestamp()")
    return (int(found[0][0].split(":")[1]), found[0][1]) if found else (0, 0)


def woken(product: Installation) -> int:
    return int(product.query("SELECT last_value FROM pgmq.q_upkeep_msg_id_seq")[0][0])


def test_a_hanging_beat_is_replaced_by_the_waiting_one_and_stays_so() -> None:
    with installation() as product:
        product.var_dir.mkdir()
        postgres.ensure_running(product.var_dir)
        assert product.command("migrate", "--verbosity", "0").returncode == 0
        options = {"python": True, "env": product.environment()}
        worker = ["python", "-m", "cdp.processes.worker", "upkeep"]
        with (
            process_of_our_own(worker, **options),  # type: ignore[arg-type]
            process_of_our_own(BEAT, **options) as one,  # type: ignore[arg-type]
            process_of_our_own(BEAT, **options) as two,  # type: ignore[arg-type]
        ):
            eventually(lambda: holder(product)[0], "one of them has the lease")
            pid, fence = holder(product)
            assert pid in (one.pid, two.pid)
            spare = two.pid if pid == one.pid else one.pid
            before = woken(product)
            eventually(lambda: woken(product) > before, "it fires")
            os.kill(pid, signal.SIGSTOP)
            eventually(lambda: holder(product)[0] == spare, "the other takes over", 60)
            before = woken(product)
            eventually(lambda: woken(product) > before, "and fires", 60)
            os.kill(pid, signal.SIGCONT)
            time.sleep(15)
            assert holder(product) == (spare, fence + 1), "the first took it back, though the other lives"
            assert one.poll() is None and two.poll() is None
