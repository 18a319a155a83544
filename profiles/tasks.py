"""Drains and upkeep of the profiles app. PostgreSQL is the queue; a task only goes and looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import connection
from django.utils import timezone

from cdp.common.wake import wake
from profiles import partitions
from profiles.processing.drain import drain_inbox

#: drains at once, over all workers: one per core of the database is plenty
MAX_DRAINS = 2
_SLOT_LOCK = 7_203_002


@shared_task(name="profiles.process_inbox")
def process_inbox() -> int:
    """Process the inbox until it is empty; wake another run when the time is up first.

    Only a few drains run at once, so that a long one and its wake-ups do not take every worker there is.
    """
    with _slot() as free:
        if not free:
            return 0
        done, more = drain_inbox()
    if more:
        wake("profiles.process_inbox")
    return done


@contextmanager
def _slot() -> Iterator[bool]:
    """Hold one of the places for a drain, as long as this database session lives; yield False when all are taken."""
    with connection.cursor() as cursor:
        for number in range(MAX_DRAINS):
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_SLOT_LOCK, number])
            row = cursor.fetchone()
            if row and row[0]:
                break
        else:
            yield False
            return
    try:
        yield True
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_SLOT_LOCK, number])


@shared_task(name="profiles.maintain_partitions")
def maintain_partitions() -> int:
    """Make the partitions of the coming days and months; drop raw bodies past their time."""
    made = partitions.make_ahead()
    for day in partitions.old_days(before=timezone.now().date() - timedelta(days=settings.RAW_RETENTION_DAYS)):
        partitions.drop_day(day)
    return made
