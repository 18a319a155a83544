"""Clocks that are wrong: said aloud, and no silence afterwards.

Covers E17 (a machine a day ahead), F11 (no warning), F19 (beat silent for a day after it was put right).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.installation import eventually, installation

pytestmark = pytest.mark.long

#: read by every Python that starts with its folder in PYTHONPATH: the processes of ours, not PostgreSQL
AHEAD = """
import datetime, os
if ahead := float(os.environ.get("CLOCK_AHEAD") or 0):
    import time_machine
    time_machine.travel(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=ahead), tick=True).start()
"""


def test_a_day_ahead_and_put_right(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(AHEAD)
    with installation(PYTHONPATH=str(tmp_path), CLOCK_AHEAD="86400") as product:
        product.start()
        product.wait_ready()
        assert product.ready()["warnings"] == ["clock"]
        eventually(lambda: "s apart; let both follow a time server" in product.log(), "the workers warn")
        product.collect(5)
        eventually(lambda: product.stored() == 5, "events are processed all the same")
        assert product.stop() == 0
        product.variables["CLOCK_AHEAD"] = ""
        product.start()
        product.wait_ready()
        assert product.ready()["warnings"] == []

        # Nobody but beat wakes the senders here.
        def woken() -> int:
            return int(product.query("SELECT last_value FROM pgmq.q_sends_msg_id_seq")[0][0])

        first = woken()
        eventually(lambda: woken() > first + 3, "beat fires", 40)
