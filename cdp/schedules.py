"""When beat wakes each task. Rows of django-celery-beat, so that an administrator can change them in the admin."""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from cdp.common.queues import queues

#: task -> seconds, of tasks that are no queue's
UPKEEP = {
    "cdp.keep_journal": 30,
    "profiles.maintain_partitions": 3600,
    "profiles.recount_catalogue": 86_400,
    "cdp.run_retention": 600,
    "consent.finish_erasures": 60,
}


def intervals() -> dict[str, int]:
    """Return {task: seconds}. Most work is woken on commit; this is the safety net, and what time alone brings."""
    return {queue.task: queue.every for queue in queues} | UPKEEP


def sync_schedules(**_signal: Any) -> None:
    """Make a row for every task that exists and has none. The interval of one that is there stays: it may be edited."""
    rows = intervals()
    known = set(PeriodicTask.objects.filter(name__in=rows).values_list("name", flat=True))
    with transaction.atomic():
        for name, seconds in rows.items():
            if name in known or name not in current_app.tasks:
                continue
            interval = IntervalSchedule.objects.filter(every=seconds, period=IntervalSchedule.SECONDS).first()
            if interval is None:
                interval = IntervalSchedule.objects.create(every=seconds, period=IntervalSchedule.SECONDS)
            PeriodicTask.objects.create(
                name=name,
                task=name,
                interval=interval,
                description="Made by Klantbeeld. Change the interval here if you like; it will not be put back.",
            )
        # An expiry is a moment by the sender's clock: with clocks apart, every wake-up would be dropped unseen.
        PeriodicTask.objects.filter(name__in=rows).exclude(expire_seconds=None).update(expire_seconds=None)


class Entry(ModelEntry):  # type: ignore[misc]  # the library has no types
    """A row of beat that a clock once ahead cannot silence."""

    def is_due(self) -> Any:
        """Return whether to fire and when to ask again; a last run in the future is forgotten."""
        now = self._default_now()
        self.last_run_at = self.model.last_run_at = min(self.model.last_run_at, now)
        return super().is_due()
