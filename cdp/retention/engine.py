"""The nightly run: every class of data, batch after batch, each committed, until nothing is past its time.

How far a class came is in its row of the night. So a worker that is killed loses one batch, a night that was slept
through is made up for at the next wake, and a class that fails or is slow leaves the others their turn.
"""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils import timezone

from cdp.common.faults import Fault, describe_error, fault_of
from cdp.common.models import RetentionPeriod, RetentionRun
from cdp.common.retention import DataClass, batch_transaction, retention

logger = logging.getLogger(__name__)

#: the hour, in the zone of the business, at which a night's run begins
HOUR = 2
#: one wake works this long, and wakes the next while anything is left
WAKE_SECONDS = 40.0
#: a class gives way to the next after this long
TURN_SECONDS = 5.0
#: failures in a row after which a class waits for the next night
MAX_ATTEMPTS = 5
MIN_BATCH = 50
#: when the clocks of application and database are further apart, nobody knows what is old, and nothing is removed
CLOCK_SKEW = timedelta(minutes=30)


class ClocksDisagree(Exception):
    """The clocks of application and database are too far apart to tell what is past its time."""


@dataclass(frozen=True, slots=True)
class Due:
    """A class of data that this night has not finished."""

    name: str
    data: DataClass
    run: RetentionRun


def night_of(now: datetime) -> date:
    """Return the night that a moment belongs to: it begins at HOUR in the zone of the business."""
    local = now.astimezone(ZoneInfo(settings.BUSINESS_TIME_ZONE))
    return (local - timedelta(hours=HOUR)).date()


def next_night(now: datetime) -> datetime:
    """Return when the next night begins."""
    zone = ZoneInfo(settings.BUSINESS_TIME_ZONE)
    night = night_of(now) + timedelta(days=1)
    return datetime(night.year, night.month, night.day, HOUR, tzinfo=zone)


def run_retention(*, now: datetime | None = None, seconds: float = WAKE_SECONDS) -> bool:
    """Work on what this night has not finished; return whether anything is left to go on with at once."""
    moment = now or agreed_time()
    end = time.monotonic() + seconds
    failed: set[str] = set()  # tried again at the next beat
    while due := [item for item in due_classes(moment) if item.name not in failed]:
        for item in due:
            if time.monotonic() >= end:
                return True
            if not _take_turn(item, min(end, time.monotonic() + TURN_SECONDS)):
                failed.add(item.name)
    return False


def agreed_time() -> datetime:
    """Return the database's time; raise ClocksDisagree when that is far from ours."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    found: datetime = row[0]
    if abs(found - timezone.now()) > CLOCK_SKEW:
        raise ClocksDisagree(f"the database says {found:%Y-%m-%d %H:%M}")
    return found


def due_classes(now: datetime) -> list[Due]:
    """Return what this night has not finished, those longest without a turn first."""
    night = night_of(now)
    chosen = dict(RetentionPeriod.objects.values_list("name", "days"))
    runs = {run.name: run for run in RetentionRun.objects.filter(night=night)}
    due = []
    for name, data in retention.items():
        days = chosen.get(name, data.default_days)
        run = runs.get(name)
        if (days is None and not data.own_periods) or (run is not None and run.finished_at is not None):
            continue
        if run is None:
            before = now - timedelta(days=days or 0)
            run, _made = RetentionRun.objects.get_or_create(name=name, night=night, defaults={"before": before})
        due.append(Due(name, data, run))
    return sorted(due, key=lambda item: item.run.worked_at)


def _take_turn(item: Due, end: float) -> bool:
    """Remove batches of one class until it is done or its turn is over; return False when one failed."""
    data, run = item.data, item.run
    try:
        while not _take_batch(item) and time.monotonic() < end:
            pass
        return True
    except Exception as error:
        fault = fault_of(error)
        if fault is Fault.SERVER:
            raise  # blames no class: the next beat goes on
        logger.warning("retention of %s failed", item.name, exc_info=True)
        run.refresh_from_db()  # what the failed batch noted did not happen
        run.attempts += 1
        if fault is not Fault.ITEM:  # too slow, or a lock in the way: fewer rows may go through
            run.batch = max(MIN_BATCH, (run.batch or data.batch) // 4)
        run.problem, run.worked_at = describe_error(error), timezone.now()
        if run.attempts >= MAX_ATTEMPTS:
            run.finished_at = timezone.now()
        run.save()
        return False


def _take_batch(item: Due) -> bool:
    """Remove one batch and note how far the class came, in one commit where that can be; return whether it is done."""
    data, run = item.data, item.run
    with batch_transaction() if data.atomic else nullcontext():
        step = data.remove(run.before, run.batch or data.batch, run.position)
        run.removed += step.removed
        run.attempts, run.problem, run.worked_at = 0, "", timezone.now()
        run.position = step.position or {}
        if step.position is None:
            survey = data.survey(run.before)
            run.waiting, run.oldest_at, run.finished_at = survey.waiting, survey.oldest, timezone.now()
        run.save()
    return step.position is None
