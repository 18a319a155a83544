"""Claim an import, keep the claim alive, and heed a wish to stop.

The claim is a lease on the job's row. Each renewal names the lease it renews: a worker that slept past its lease
finds that another has taken over, and its block is rolled back. So no block is ever committed twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from profiles.models import Import
from profiles.models.imports import ImportState

LEASE = timedelta(seconds=60)
#: claims without progress after which an import is given up: the file, or we, must be at fault
MAX_ATTEMPTS = 5
ACTIVE = (ImportState.CHECKING, ImportState.RUNNING, ImportState.UNDOING)


class LeaseLost(Exception):
    """Another worker took the import over."""


class StopWanted(Exception):
    """Somebody asked to pause or cancel; `state` is where the import goes."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


def claim_import(now: datetime | None = None) -> Import | None:
    """Take the oldest import that waits for a worker, or whose worker died; None when there is none."""
    now = now or timezone.now()
    with transaction.atomic():
        job = (
            Import.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(Q(lease_until=None) | Q(lease_until__lt=now), state__in=ACTIVE)
            .order_by("created_at")
            .first()
        )
        if job is None:
            return None
        if job.attempts >= MAX_ATTEMPTS:
            job.state, job.lease_until, job.finished_at = ImportState.FAILED, None, now
            job.error_code, job.error_params = "worker_stopped", {"times": job.attempts}
        else:
            job.lease_until = now + LEASE
            job.attempts += 1
        job.save(update_fields=["state", "lease_until", "finished_at", "error_code", "error_params", "attempts"])
    return job if job.state in ACTIVE else claim_import(now)


def renew(job: Import, *, lease: timedelta = LEASE, **fields: Any) -> None:
    """Keep the claim and store progress; raise LeaseLost when the claim is another's by now."""
    until = timezone.now() + lease
    kept = Import.objects.filter(pk=job.pk, state=job.state, lease_until=job.lease_until).update(
        lease_until=until, attempts=1, **fields
    )
    if not kept:
        raise LeaseLost(job.pk)
    job.lease_until = until
    for name, value in fields.items():
        if not isinstance(value, F):
            setattr(job, name, value)


def heed_stop(job: Import) -> None:
    """Raise StopWanted when somebody asked to pause or cancel since the last block."""
    wanted = Import.objects.filter(pk=job.pk).values_list("stop_wanted", flat=True).get()
    if wanted:
        raise StopWanted(wanted)


def leave(job: Import, state: str, **fields: Any) -> None:
    """Give the claim back and put the import in a state; does nothing when the claim is another's by now."""
    Import.objects.filter(pk=job.pk, lease_until=job.lease_until).update(
        state=state, lease_until=None, stop_wanted="", attempts=0, **fields
    )


def hand_back(job: Import) -> None:
    """Give the claim back so that the work goes on in a later run."""
    Import.objects.filter(pk=job.pk, lease_until=job.lease_until).update(lease_until=None, attempts=0)
