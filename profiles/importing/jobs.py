"""The claim of an import at work, and a wish to stop it.

Each step that commits renews the claim first (`cdp.common.queue_items`): a worker that slept past its lease finds that
another has taken over, and its block is rolled back. So no block is ever committed twice.
"""

from __future__ import annotations

from typing import Any

from django.db.models import F

from cdp.common.queue_items import Claim, put
from cdp.common.wake import wake
from profiles.models import Import
from profiles.models.imports import ImportState

NAME, TASK = "imports", "profiles.run_import"
#: one statement matches all rows of a file with all people
ITEM_SECONDS = 1200.0
ACTIVE = (ImportState.CHECKING, ImportState.RUNNING, ImportState.UNDOING)


class StopWanted(Exception):
    """Somebody asked to pause or cancel; `state` is where the import goes."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


def hand_to_worker(job: Import) -> None:
    """Queue an import that was put into one of the ACTIVE states."""
    put(NAME, [job.pk])
    wake(TASK)


def renew(job: Import, claim: Claim, *, progress: bool = False, **fields: Any) -> None:
    """Keep the claim and store how far the work came; raise LeaseLost when the claim is another's by now.

    `progress`: what was done need not be done again, so what failed before is forgotten.
    """
    claim.renew(progress=progress)
    if progress:
        fields["error_code"] = ""
    if fields:
        Import.objects.filter(pk=job.pk).update(**fields)
    for name, value in fields.items():
        if not isinstance(value, F):
            setattr(job, name, value)


def heed_stop(job: Import) -> None:
    """Raise StopWanted when somebody asked to pause or cancel since the last block."""
    wanted = Import.objects.filter(pk=job.pk).values_list("stop_wanted", flat=True).get()
    if wanted:
        raise StopWanted(wanted)


def leave(job: Import, claim: Claim, state: str, **fields: Any) -> None:
    """Put the import in a state in which no worker works at it."""
    renew(job, claim, state=state, stop_wanted="", **fields)
