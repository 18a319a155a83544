"""The task that workers run for imports."""

from __future__ import annotations

from celery import shared_task

from cdp.common.wake import wake
from profiles.importing.runner import run_imports

TASK = "profiles.run_import"


# A dry run cannot be cut into slices, hence its own limits. A wake-up that is delivered twice finds the lease and ends.
@shared_task(name=TASK, time_limit=3600, soft_time_limit=3500)
def run_import() -> None:
    """Work on imports; go on in a new run when time is up."""
    if run_imports():
        wake(TASK)
