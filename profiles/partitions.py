"""Partitions of the tables that only grow: made ahead, made on demand, let go of when their time is up.

Nobody waits for any of it: a partition is made standalone and attached (`profiles_make_partition` of the migration),
and detached concurrently. Both give up after a second behind somebody else's lock, and are tried again.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from django.db import OperationalError, connection, transaction

T = TypeVar("T")

RAW, INTERACTION = "profiles_rawmessage", "profiles_interaction"
#: whom each raw body names: made and dropped with the bodies of its day
NAMES = "profiles_rawidentifier"
MONTHS_BACK = 14
MONTHS_AHEAD = 3
DAYS_AHEAD = 14
#: where the one table for everything older ends: a wrong clock may not make thousands of tables
OLDEST_MONTH = date(2016, 1, 1)
BEFORE = f"{INTERACTION}_before"
#: months from here back may have been let go of since somebody looked
MONTHS_REMEMBERED = 12

_TRIES = 10


_DROPPER_LOCK = 7_203_003
_DAY = re.compile(rf"^({RAW}|{NAMES})_d(\d{{8}})(?:_gone_\d+)?$")
_INTERACTION_MONTH = re.compile(rf"^{INTERACTION}_y(\d{{4}})m(\d{{2}})(?:_gone_\d+)?$")


class Busy(Exception):
    """A partition cannot be let go of just now; try again later."""


def month_of(moment: datetime) -> date:
    """Return the first day of the UTC month of an aware moment."""
    utc = moment.astimezone(UTC)
    return date(utc.year, utc.month, 1)


def add_months(month: date, count: int) -> date:
    """Return the first of the month `count` months later (or earlier)."""
    index = month.year * 12 + month.month - 1 + count
    return date(index // 12, index % 12 + 1, 1)


def day_name(day: date, parent: str = RAW) -> str:
    """Return the table of a day of raw messages, or of the names in them."""
    return f"{parent}_d{day:%Y%m%d}"


def month_name(month: date) -> str:
    """Return the table of a month of interactions."""
    return f"{INTERACTION}_y{month:%Y}m{month:%m}"


# Make -----------------------------------------------------------------------------------------------------------

#: months and days that this process knows to have a partition
_known_months: set[date] = set()
_known_days: set[date] = set()


def interaction_months() -> set[date]:
    """Return the months that have a partition of interactions."""
    return {_month(match) for match in _matches(_attached(INTERACTION), _INTERACTION_MONTH)}


def wanted_months(months: set[date], *, now: datetime | None = None) -> set[date]:
    """Return those of these months that should have a partition and have none; cheap when all are known."""
    missing = {month for month in months - _known_months if month >= OLDEST_MONTH}
    if missing:
        have = interaction_months()
        recent = add_months(month_of(now or datetime.now(UTC)), -MONTHS_REMEMBERED)
        _known_months.update(month for month in have if month >= recent)
        missing -= have
    return missing


def ensure_months(months: Iterable[date]) -> int:
    """Create the missing partitions of interactions for these months; return how many were made."""
    wanted = {month for month in months if month >= OLDEST_MONTH} - interaction_months()
    return sum(_create(INTERACTION, month_name(month), month, add_months(month, 1)) for month in sorted(wanted))


def wanted_days(days: set[date]) -> set[date]:
    """Return those of these days that have no partition for the names in their bodies; cheap when all are known."""
    missing = days - _known_days
    if missing:
        have = _attached(NAMES)
        found = {day for day in missing if day_name(day, NAMES) in have}
        _known_days.update(found)
        missing -= found
    return missing


def ensure_days(days: Iterable[date]) -> int:
    """Create the missing partitions of raw messages, and of the names in them; return how many were made."""
    made, ordered = 0, sorted(set(days))
    for parent in (RAW, NAMES):
        have = _attached(parent)
        wanted = [day for day in ordered if day_name(day, parent) not in have]
        made += sum(_create(parent, day_name(day, parent), day, day + timedelta(days=1)) for day in wanted)
    return made


def make_ahead(*, now: datetime | None = None) -> int:
    """Create the partitions that the coming days and the usual look back need."""
    moment = now or datetime.now(UTC)
    today = moment.astimezone(UTC).date()
    made = ensure_months(add_months(month_of(moment), step) for step in range(-MONTHS_BACK, MONTHS_AHEAD + 1))
    return made + ensure_days(today + timedelta(days=step) for step in range(-1, DAYS_AHEAD + 1))


def _create(parent: str, name: str, start: date, end: date) -> bool:
    def run() -> bool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT profiles_make_partition(%s, %s, %s, %s)", [parent, name, start, end])
            row = cursor.fetchone()
            return bool(row and row[0])

    return _persist(run)


# Let go ---------------------------------------------------------------------------------------------------------


def old_days(*, before: date) -> list[date]:
    """Return the days of raw messages before a day, oldest first, also those that were detached but not dropped."""
    names = {name for parent in (RAW, NAMES) for name in _attached(parent) | _detached(parent)}
    days = {date.fromisoformat(match[2]) for match in _matches(names, _DAY)}
    return sorted(day for day in days if day < before)


def old_months(*, before: date) -> list[date]:
    """Return the months of interactions that end at a day or earlier, oldest first."""
    return sorted(month for month in interaction_months() if add_months(month, 1) <= before)


def rows_of_day(day: date, *, cap: int = 10_001) -> int:
    """Count the raw messages of a day, no further than `cap`."""
    with connection.cursor() as cursor:
        counts = []
        for name in _tables_of_day(day, RAW):
            cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {name} LIMIT %s) AS rows", [cap])
            counts.append(cursor.fetchone()[0])
    return sum(counts)


def drop_day(day: date) -> int | None:
    """Drop a day of raw messages with the names in them; return its bodies, or None while one waits to be processed.

    Raises Busy when somebody reads the table just now.
    """
    rows = 0
    with _alone() as cursor:
        for name in _tables_of_day(day, RAW):
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM profiles_inbox i JOIN {name} r ON r.id = i.raw_id)")
            if cursor.fetchone()[0]:
                return None
            cursor.execute(f"SELECT count(*) FROM {name}")
            rows += cursor.fetchone()[0]
            _detach(cursor, RAW, name)
            cursor.execute(f"DROP TABLE {name}")
        for name in _tables_of_day(day, NAMES):
            _known_days.discard(day)
            _detach(cursor, NAMES, name)
            cursor.execute(f"DROP TABLE {name}")
    return rows


def _tables_of_day(day: date, parent: str) -> list[str]:
    """Return the table of a day, and what was detached of it earlier and not dropped."""
    found = _matches(_attached(parent) | _detached(parent), _DAY)
    return sorted(match[0] for match in found if match[1] == parent and date.fromisoformat(match[2]) == day)


def detach_month(month: date) -> None:
    """Take a month of interactions out of the table; raise Busy when somebody reads it just now."""
    with _alone() as cursor:
        _detach(cursor, INTERACTION, month_name(month))


def detached_months() -> list[str]:
    """Return the tables of interactions that were taken out and not dropped yet."""
    return sorted(match[0] for match in _matches(_detached(INTERACTION), _INTERACTION_MONTH))


def drop_detached(name: str) -> None:
    """Drop a table that was taken out; raise Busy when somebody still reads it."""
    with _alone() as cursor:
        _detach(cursor, INTERACTION, name)
        cursor.execute(f"DROP TABLE {name}")


def _detach(cursor: Any, parent: str, name: str) -> None:
    """Detach concurrently: no reader or writer of the table waits for it."""
    cursor.execute("SET lock_timeout = '1s'")
    try:
        # One that was given up half-way stands in the way of every other.
        for other, pending in _states(cursor, parent).items():
            if pending:
                cursor.execute(f"ALTER TABLE {parent} DETACH PARTITION {other} FINALIZE")
        if name in _states(cursor, parent):
            cursor.execute(f"ALTER TABLE {parent} DETACH PARTITION {name} CONCURRENTLY")
    except OperationalError as error:
        if not _is_busy(error):
            raise
        raise Busy(f"{name} is being read") from error
    finally:
        cursor.execute("RESET lock_timeout")


def _states(cursor: Any, parent: str) -> dict[str, bool]:
    cursor.execute(
        "SELECT c.relname, i.inhdetachpending FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = to_regclass(%s)",
        [parent],
    )
    return dict(cursor.fetchall())


@contextmanager
def _alone() -> Iterator[Any]:
    """Hold the lock of whoever lets partitions go; raise Busy when somebody else is at it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_DROPPER_LOCK])
        row = cursor.fetchone()
        if not (row and row[0]):
            raise Busy("another process lets partitions go")
        try:
            yield cursor
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_DROPPER_LOCK])


# What is there --------------------------------------------------------------------------------------------------


def _attached(parent: str) -> set[str]:
    with connection.cursor() as cursor:
        return {name for name, pending in _states(cursor, parent).items() if not pending}


def _detached(parent: str) -> set[str]:
    """Return the tables that look like partitions and are none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND starts_with(c.relname, %s)"
            " AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(%s))"
            " AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid AND NOT i.inhdetachpending)",
            [f"{parent}_", parent],
        )
        return {name for (name,) in cursor.fetchall()}


def _matches(names: Iterable[str], pattern: re.Pattern[str]) -> list[re.Match[str]]:
    return [match for name in names if (match := pattern.match(name))]


def _month(match: re.Match[str]) -> date:
    return date(int(match[1]), int(match[2]), 1)


def _persist(run: Callable[[], T]) -> T:
    for attempt in range(_TRIES):
        try:
            return run()
        except OperationalError as error:
            if attempt == _TRIES - 1 or not _is_busy(error):
                raise
            time.sleep(random.uniform(0.05, 0.3))  # noqa: S311 - spreads retries, guards nothing
    return run()


def _is_busy(error: OperationalError) -> bool:
    """Tell whether somebody else's lock was in the way (time-out, deadlock, a partition that is being detached)."""
    return getattr(error.__cause__, "sqlstate", "") in {"55P03", "40P01", "55006"}
