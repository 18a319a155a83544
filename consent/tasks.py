"""What beat wakes."""

from __future__ import annotations

from celery import shared_task
from django.utils.translation import gettext_lazy as _

from cdp.common.queues import Queue, register
from consent.ledger_watch import measure, retry, work_checks
from consent.services.erasing import go_on_with_erasures
from consent.services.sales import TASK as SALES_TASK
from consent.services.sales import retry_scan, scans_waiting, work_scans
from consent.services.verifying import TASK

verify = register(
    Queue(
        name="ledger_checks",
        label=_("Verifications of the consent ledger"),
        task=TASK,
        item_seconds=120,  # a seal of the most records
        work=work_checks,
        measure=measure,
        retry=retry,
        every=60,
        late_seconds=6 * 3600,
    )
)


sales = register(
    Queue(
        name="sales",
        label=_("Past sales to go through for soft opt-in"),
        task=SALES_TASK,
        item_seconds=60,
        work=work_scans,
        measure=scans_waiting,
        retry=retry_scan,
        every=60,
        late_seconds=6 * 3600,
    )
)


@shared_task(name="consent.finish_erasures")
def finish_erasures() -> int:
    """Go on with erasures that a killed process, or too much work, left without an end."""
    return go_on_with_erasures()
