"""The inbox's queue and the upkeep of the profiles app."""

from __future__ import annotations

from celery import shared_task
from django.utils.translation import gettext_lazy as _

from cdp.common.queues import Queue, register
from profiles import partitions
from profiles.catalogue.store import recount
from profiles.exporting import jobs, runner
from profiles.processing.drain import INBOX, retry_body, work_inbox
from profiles.services.feed import CHANGED, retry_change, work_changed

process_inbox = register(
    Queue(
        name="inbox",
        label=_("Events that came in"),
        task="profiles.process_inbox",
        item_seconds=20,
        slots=2,  # one per core of the database is plenty
        work=work_inbox,
        measure=INBOX.measure,
        retry=retry_body,
    )
)

sequence_changes = register(
    Queue(
        name="changed",
        label=_("Changes of people on their way into the change feed"),
        task="profiles.sequence_changes",
        item_seconds=20,
        work=work_changed,
        measure=CHANGED.measure,
        retry=retry_change,
    )
)

run_export = register(
    Queue(
        name=jobs.NAME,
        label=_("Exports"),
        task=jobs.TASK,
        item_seconds=3600,
        slots=2,
        every=5,
        late_seconds=3600,  # one may wait for two large ones
        work=runner.work_exports,
        measure=runner.measure,
        retry=runner.retry_export,
    )
)


@shared_task(name="profiles.recount_catalogue")
def recount_catalogue() -> int:
    """Count anew how many people have each trait, and find names that a lost write left out."""
    return recount()


@shared_task(name="profiles.maintain_partitions")
def maintain_partitions() -> int:
    """Make the partitions of the coming days and months."""
    return partitions.make_ahead()
