"""The processes that are kept running, each as it can also be run alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from cdp.health.heartbeats import BEAT
from cdp.processes.supervisor import Child


def workers(plan: Mapping[str, int]) -> list[Child]:
    """Return the workers of a plan {kind: processes}."""
    return [
        Child(
            kind if number == 1 else f"{kind}-{number}",
            [sys.executable, "-m", "cdp.processes.worker", kind],
            watched=True,
        )
        for kind, count in plan.items()
        for number in range(1, count + 1)
    ]


def beat() -> Child:
    """Return beat. Several may run, on several machines: one holds the lease and the others wait."""
    command = [sys.executable, "-m", "celery", "-q", "-A", "cdp", "beat", "--loglevel", "WARNING", "--pidfile", ""]
    return Child(BEAT, command, watched=True)
