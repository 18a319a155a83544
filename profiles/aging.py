"""Remove what is past its time, one bounded batch at a time; how long that is stands in profiles.retention."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from cdp.common.arrays import numbers
from cdp.common.retention import (
    COUNT_CAP,
    Position,
    Step,
    Survey,
    batch_transaction,
)
from profiles import partitions
from profiles.changes import Change, announce, kept_people
from profiles.identity.alive import alive, last_seen
from profiles.models import SourceCounter
from profiles.services.removal import remove_people

# Bodies as received: a day at a time -----------------------------------------------------------------------------


def remove_bodies(before: datetime, _limit: int, position: Position) -> Step:
    """Drop the oldest day of raw messages; a day of which a message still waits is passed over."""
    after = position.get("after", "")
    days = [day for day in partitions.old_days(before=_day(before)) if day.isoformat() > after]
    if not days:
        return Step(0)
    rows = partitions.drop_day(days[0])
    return Step(rows or 0, {"after": days[0].isoformat()})


def survey_bodies(before: datetime) -> Survey:
    """Count the bodies of the days past their time."""
    waiting = sum(partitions.rows_of_day(day) for day in partitions.old_days(before=_day(before)))
    oldest = partitions.old_days(before=_day(timezone.now()) + timedelta(days=1))
    return Survey(waiting, _midnight(oldest[0]) if oldest else None)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


# What people did: a month at a time, only where somebody set a period -------------------------------------------


def remove_interactions(before: datetime, limit: int, _position: Position) -> Step:
    """Take the oldest month past its time out of the table, then empty it person by person and drop it.

    Whoever loses an event is announced, so that segments and scores are worked out anew.
    """
    for table in partitions.detached_months():
        if step := _empty(table, limit):
            return step
        partitions.drop_detached(table)
    if step := _empty(partitions.BEFORE, limit):
        return step
    months = partitions.old_months(before=_day(before))
    if not months:
        return Step(0)
    partitions.detach_month(months[0])
    return Step(0, {})


def _empty(table: str, limit: int) -> Step | None:
    """Delete the events of some people; return None when there are none left."""
    with batch_transaction(), connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE profile_id IN"
            f" (SELECT DISTINCT profile_id FROM {table} ORDER BY profile_id LIMIT %s) RETURNING profile_id",
            [limit],
        )
        people = [row[0] for row in cursor.fetchall()]
        if not people:
            return None
        announce(Change(profile_ids=set(people), cause="retention"))
    return Step(len(people), {})


def survey_interactions(before: datetime) -> Survey:
    """Count the events of the months past their time, and find the oldest event."""
    oldest, waiting = None, 0
    past = [partitions.BEFORE, *map(partitions.month_name, partitions.old_months(before=_day(before)))]
    with connection.cursor() as cursor:
        for table in past:
            cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT %s) AS rows", [COUNT_CAP + 1])
            waiting += int(cursor.fetchone()[0])
        for table in [partitions.BEFORE, *map(partitions.month_name, sorted(partitions.interaction_months()))]:
            cursor.execute(f"SELECT min(occurred_at) FROM {table}")
            oldest = cursor.fetchone()[0]
            if oldest is not None:
                break
    return Survey(waiting, oldest)


# Visitors who never came back ------------------------------------------------------------------------------------

#: whether all that is known of a person is a device
_STRANGER = """
NOT p.identified AND p.restricted_at IS NULL AND p.merged_into_id IS NULL AND p.erased_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM profiles_identifier i WHERE i.profile_id = p.id AND i.kind <> 'anonymous_id')
"""
#: since when nothing was heard of a person; who was never seen is known since then
_HEARD = "coalesce(p.last_seen_at, p.first_seen_at)"
#: people last seen before a moment, oldest first, in the order of the index on that
_SEEN_BEFORE = f"""
SELECT p.id, {last_seen("p")}, {_STRANGER} AND {_HEARD} < %s FROM profiles_profile p
WHERE {alive("p")} AND {last_seen("p")} < %s AND ({last_seen("p")}, p.id) > (%s, %s)
ORDER BY {last_seen("p")}, p.id LIMIT %s
"""
_STRANGERS = f"""
SELECT p.id, {_HEARD} FROM profiles_profile p
WHERE {alive("p")} AND {_STRANGER} ORDER BY {last_seen("p")}, p.id LIMIT %s
"""
_LOCK = "SELECT id FROM profiles_profile WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED"
_STILL = f"SELECT p.id FROM profiles_profile p WHERE p.id = ANY(%s::bigint[]) AND {_HEARD} < %s AND {_STRANGER}"
_BEGINNING = "0001-01-01T00:00:00+00:00"


@transaction.atomic
def remove_strangers(before: datetime, limit: int, position: Position) -> Step:
    """Remove people of whom only a device is known and who were not seen since; who said or got something stays."""
    with connection.cursor() as cursor:
        seen, last = position.get("seen", _BEGINNING), position.get("id", 0)
        cursor.execute(_SEEN_BEFORE, [before, before, seen, last, limit])
        rows = cursor.fetchall()
        if not rows:
            return Step(0)
        # Somebody may be back, known or asked by now: what was read is asked again once they are locked. Whoever is
        # being worked on just now is left to the next night.
        cursor.execute(_LOCK, [numbers(sorted(row[0] for row in rows if row[2]))])
        locked = numbers(row[0] for row in cursor.fetchall())
        cursor.execute(_STILL, [locked, before])
        strangers = sorted(row[0] for row in cursor.fetchall())
        gone = set(strangers) - kept_people(strangers)
        if gone:
            remove_people(gone)
            announce(Change(profile_ids=gone, cause="retention"))
    return Step(len(gone), {"seen": rows[-1][1].isoformat(), "id": rows[-1][0]})


def survey_strangers(before: datetime) -> Survey:
    """Count strangers past their time that are left, and find the one seen longest ago, among the first thousands."""
    with connection.cursor() as cursor:
        cursor.execute(_STRANGERS, [COUNT_CAP + 1])
        rows = cursor.fetchall()
    kept = kept_people([row[0] for row in rows])
    left = [row[1] for row in rows if row[0] not in kept]
    return Survey(sum(seen < before for seen in left), min(left, default=None))


# Counters: hours are added up to months -------------------------------------------------------------------------

_COUNTS = [field.name for field in SourceCounter._meta.fields if field.name not in ("id", "source", "hour")]
_FOLD = f"""
WITH old AS (
    DELETE FROM profiles_sourcecounter WHERE id IN (
        SELECT id FROM profiles_sourcecounter
        WHERE hour < date_trunc('month', %s::timestamptz, 'UTC') AND hour <> date_trunc('month', hour, 'UTC')
        ORDER BY hour LIMIT %s)
    RETURNING *
), folded AS (
    INSERT INTO profiles_sourcecounter AS c (source_id, hour, {", ".join(_COUNTS)})
    SELECT source_id, date_trunc('month', hour, 'UTC'), {", ".join(f"sum({name})" for name in _COUNTS)}
    FROM old GROUP BY 1, 2
    ON CONFLICT (source_id, hour) DO UPDATE SET {", ".join(f"{name} = c.{name} + excluded.{name}" for name in _COUNTS)}
)
SELECT count(*) FROM old
"""


def fold_counters(before: datetime, limit: int, _position: Position) -> Step:
    """Add the hours of whole months past their time up into one row a month, so that totals stay true."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, [before, limit])
        removed = int(cursor.fetchone()[0])
    return Step(removed, {} if removed == limit else None)


def survey_counters(before: datetime) -> Survey:
    """Count the hours past their time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE hour < date_trunc('month', %s::timestamptz, 'UTC')), min(hour)"
            " FROM profiles_sourcecounter WHERE hour <> date_trunc('month', hour, 'UTC')",
            [before],
        )
        waiting, oldest = cursor.fetchone()
    return Survey(min(waiting, COUNT_CAP + 1), oldest)
