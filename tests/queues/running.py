"""Run queues the way beat does: the task that a schedule names, by its registered name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django_celery_beat.models import PeriodicTask

from cdp.common.queues import MAX_ATTEMPTS, queues

#: table -> how to let a wait be over
WAITS = {
    "profiles_inbox": "UPDATE profiles_inbox SET due_at = NULL",
    "segments_touched": "UPDATE segments_touched SET due_at = NULL",
    "campaigns_sendqueue": "UPDATE campaigns_sendqueue SET due_at = now()",
    "common_queueitem": "UPDATE common_queueitem SET due_at = now()",
}


def run_scheduled(task: str) -> None:
    """Run what the schedule of that name sends, in this process; raise what the task raises."""
    row = PeriodicTask.objects.get(task=task, enabled=True)
    current_app.tasks[row.task].apply(throw=True)


def run_until_given_up(task: str) -> None:
    """Run a scheduled task as often as an item may fail, each time as if the wait after a failure were over."""
    for _attempt in range(MAX_ATTEMPTS + 1):
        run_scheduled(task)
        with connection.cursor() as cursor:
            for statement in WAITS.values():
                cursor.execute(statement)


def hurry(monkeypatch: pytest.MonkeyPatch, name: str, **changed: Any) -> None:
    """Change a queue for one test: its times, mostly."""
    monkeypatch.setitem(queues._items, name, replace(queues.get(name), **changed))
