"""The task that workers run for imports."""

from __future__ import annotations

from celery import shared_task

from cdp.common.wake import wake
from profiles.importing.clearing import clear_old_rows
from profiles.importing.runner import run_imports

TASK = "profiles.run_import"


# A wake-up that is delivered twice finds the lease and ends.
@shared_task(name=TASK)
def run_import() -> None:
    """Work on imports; go on in a new run when time is up."""
    if run_imports():
        wake(TASK)


@shared_task(name="profiles.clear_import_rows")
def clear_import_rows() -> int:
    """Empty rows past their time, and cancel imports that nobody goes on with."""
    return clear_old_rows()
