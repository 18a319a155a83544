"""Partitions of the two tables that only grow: made ahead, made on demand, and dropped when their time is up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection

MONTHS_BACK = 14
MONTHS_AHEAD = 2
DAYS_AHEAD = 7
#: an event older than this goes to the default partition: a wrong clock may not make thousands of tables
OLDEST_MONTHS = 120

#: serialises the makers of partitions, so that two of them never fight for the same name
_MAKER_LOCK = 7_203_001
_RAW_DAY = re.compile(r"^profiles_rawmessage_d(\d{8})$")
_INTERACTION_MONTH = re.compile(r"^profiles_interaction_y(\d{4})m(\d{2})$")


def month_of(moment: datetime) -> date:
    """Return the first day of the UTC month of an aware moment."""
    utc = moment.astimezone(UTC)
    return date(utc.year, utc.month, 1)


def add_months(month: date, count: int) -> date:
    """Return the first of the month `count` months later (or earlier)."""
    index = month.year * 12 + month.month - 1 + count
    return date(index // 12, index % 12 + 1, 1)


def _existing(parent: str, pattern: re.Pattern[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = to_regclass(%s)",
            [parent],
        )
        return {name for (name,) in cursor.fetchall() if pattern.match(name)}


def interaction_months() -> set[date]:
    """Return the months that have a partition of interactions."""
    found = (_INTERACTION_MONTH.match(name) for name in _existing("profiles_interaction", _INTERACTION_MONTH))
    return {date(int(match[1]), int(match[2]), 1) for match in found if match}


def _create(parent: str, column: str, name: str, start: date, end: date) -> bool:
    """Create one partition unless it exists or the default partition already holds rows of its range."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MAKER_LOCK])
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        row = cursor.fetchone()
        if row and row[0]:
            return False
        bounds = [f"{start.isoformat()} 00:00:00+00", f"{end.isoformat()} 00:00:00+00"]
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM {parent}_default WHERE {column} >= %s AND {column} < %s)",
            bounds,
        )
        row = cursor.fetchone()
        if row and row[0]:
            return False
        cursor.execute(f"CREATE TABLE {name} PARTITION OF {parent} FOR VALUES FROM ('{bounds[0]}') TO ('{bounds[1]}')")
        return True


#: months known to have a partition; partitions of interactions are never dropped, so it is safe to remember them
_known_months: set[date] = set()


def wanted_months(months: set[date], *, now: datetime | None = None) -> set[date]:
    """Return those of these months that should have a partition and have none; cheap when all are known."""
    this_month = month_of(now or datetime.now(UTC))
    oldest, newest = add_months(this_month, -OLDEST_MONTHS), add_months(this_month, MONTHS_AHEAD)
    missing = {month for month in months - _known_months if oldest <= month <= newest}
    if missing:
        _known_months.update(interaction_months())
        missing -= _known_months
    return missing


def accept_default(months: Iterable[date]) -> None:
    """Remember that these months live in the default partition, so that they are not asked for again."""
    _known_months.update(months)


def ensure_months(months: Iterable[date], *, now: datetime | None = None) -> int:
    """Create the missing partitions of interactions for these months; return how many were made.

    Months further back than OLDEST_MONTHS, or beyond those made ahead, stay with the default partition.
    """
    this_month = month_of(now or datetime.now(UTC))
    oldest, newest = (
        add_months(this_month, -OLDEST_MONTHS),
        add_months(this_month, MONTHS_AHEAD),
    )
    wanted = {month for month in months if oldest <= month <= newest} - interaction_months()
    return sum(
        _create(
            "profiles_interaction",
            "occurred_at",
            f"profiles_interaction_y{m:%Y}m{m:%m}",
            m,
            add_months(m, 1),
        )
        for m in sorted(wanted)
    )


def ensure_days(days: Iterable[date]) -> int:
    """Create the missing partitions of raw messages for these days; return how many were made."""
    have = _existing("profiles_rawmessage", _RAW_DAY)
    made = 0
    for day in sorted(set(days)):
        name = f"profiles_rawmessage_d{day:%Y%m%d}"
        if name not in have:
            made += _create("profiles_rawmessage", "received_at", name, day, day + timedelta(days=1))
    return made


def make_ahead(*, now: datetime | None = None) -> int:
    """Create the partitions that the coming days and the usual look back need."""
    moment = now or datetime.now(UTC)
    month = month_of(moment)
    today = moment.astimezone(UTC).date()
    made = ensure_months(
        [add_months(month, step) for step in range(-MONTHS_BACK, MONTHS_AHEAD + 1)],
        now=moment,
    )
    return made + ensure_days(today + timedelta(days=step) for step in range(-1, DAYS_AHEAD + 1))


def drop_old_days(*, keep_days: int, now: datetime | None = None) -> list[str]:
    """Drop the raw days past retention, unless a message of that day still waits; return the names dropped."""
    oldest = (now or datetime.now(UTC)).astimezone(UTC).date() - timedelta(days=keep_days)
    dropped = []
    for name in sorted(_existing("profiles_rawmessage", _RAW_DAY)):
        match = _RAW_DAY.match(name)
        if match is None or date.fromisoformat(match[1]) >= oldest:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM profiles_inbox i JOIN {name} r ON r.id = i.raw_id)")
            row = cursor.fetchone()
            if row and row[0]:
                continue
            cursor.execute(f"DROP TABLE {name}")
        dropped.append(name)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM profiles_rawmessage_default WHERE received_at < %s",
            [f"{oldest.isoformat()} 00:00:00+00"],
        )
    return dropped
