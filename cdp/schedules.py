"""When beat wakes each drain. Rows of django-celery-beat, so that an administrator can change them in the admin."""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

#: task -> seconds. Most work is woken on commit; these are the safety net, and what time alone brings about.
INTERVALS = {
    "profiles.process_inbox": 2,
    "profiles.maintain_partitions": 3600,
    "profiles.run_import": 5,
    "profiles.clear_import_rows": 3600,
    "segments.process_touched": 2,
    "segments.sweep": 30,
    "consent.seal_ledger": 3600,
    "campaigns.start_due": 3,
    "campaigns.drain_sends": 3,
    "cdp.heartbeat": 10,
}


def sync_schedules(**_signal: Any) -> None:
    """Make a row for every task that exists and has none. A row that is there is never touched: it may be edited."""
    known = set(PeriodicTask.objects.filter(name__in=INTERVALS).values_list("name", flat=True))
    with transaction.atomic():
        for name, seconds in INTERVALS.items():
            if name in known or name not in current_app.tasks:
                continue
            interval = IntervalSchedule.objects.filter(every=seconds, period=IntervalSchedule.SECONDS).first()
            if interval is None:
                interval = IntervalSchedule.objects.create(every=seconds, period=IntervalSchedule.SECONDS)
            PeriodicTask.objects.create(
                name=name,
                task=name,
                interval=interval,
                # A wake-up that nobody took in time is dropped: the next one is under way.
                expire_seconds=max(seconds * 3, 30),
                description="Made by Klantbeeld. Change the interval here if you like; it will not be put back.",
            )
