"""Follow what changes by time alone: look again at the people for whom the edge of a window went by."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.utils.translation import override

from cdp.common.faults import Fault, OutOfTime, bounded, fault_of, persist
from cdp.common.queues import Run
from profiles.identity.alive import alive, last_seen
from segments.catalog_loader import known_catalog, moment_now
from segments.membership import (
    break_segment,
    evaluate,
    fault_of_rule,
    note_freshness,
    note_sizes,
    put_aside,
    try_lock_segments,
    usable_rule,
)
from segments.models import Segment, Status
from segments.rules.catalog import Catalog
from segments.rules.nodes import Moment
from segments.rules.sliding_windows import Edge, moving_edges

#: a segment is swept again after so many seconds
EVERY_SECONDS = 25
SWEEP_SECONDS = 20.0
#: beyond this many people whose window moved, a refresh of the whole segment is cheaper
MAX_SWEPT = 50_000

_DUE = f"""
SELECT id FROM segments_segment
WHERE status = 'live' AND behind_since IS NULL AND swept_at < now() - interval '{EVERY_SECONDS} seconds'
"""


def work_sweep(run: Run) -> int:
    """Sweep the segments whose turn it is, the one that waited longest first; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE + " ORDER BY swept_at, id")
        due = [row[0] for row in cursor.fetchall()]
    swept = 0
    if due:
        catalog = known_catalog()  # for all of them: whoever changes meanwhile is refreshed, and swept next time
        for segment_id in due:
            if not run.goes_on:
                break
            sweep_segment(segment_id, catalog)
            swept += 1
        note_sizes(moment_now())
    return swept


def measure() -> tuple[int, float | None]:
    """Return how many segments are due to be swept, and for how long the first has been."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), extract(epoch FROM now() - min(swept_at))::float"
            f" FROM segments_segment WHERE id IN ({_DUE})"
        )
        count, age = cursor.fetchone()
    return count, age


def sweep_segment(segment_id: int, catalog: Catalog, *, now: datetime | None = None) -> bool:
    """Look again at the people of one segment whose windows moved since the last sweep; return whether it is right now.

    A segment under refresh is left alone. One whose sweep fails, or has too many people, is put aside for a refresh.
    """
    try:
        with override("en"):
            return persist(partial(_sweep, segment_id, catalog, now))
    except Exception as error:
        if fault_of(error) is Fault.SERVER:
            raise
        put_aside(Segment.objects.get(pk=segment_id), error, moment_now(now).now)
        return False


@transaction.atomic
def _sweep(segment_id: int, catalog: Catalog, now: datetime | None) -> bool:
    with bounded(SWEEP_SECONDS):
        if not try_lock_segments([segment_id]):
            return True
        segment = Segment.objects.select_related("current_version").get(pk=segment_id)
        if segment.status != Status.LIVE or segment.swept_at is None or segment.behind_since is not None:
            return True
        moment = moment_now(now)
        before = Moment(segment.swept_at, moment.zone)
        if moment.now <= before.now:
            return True
        try:
            ids = crossed(moving_edges(usable_rule(segment, catalog), catalog), before, moment)
            if ids is None:
                raise OutOfTime("more windows moved than a sweep can look at")
            if ids:
                moved = evaluate(segment, catalog, moment, cause="time", seconds=SWEEP_SECONDS, ids=ids)
                note_freshness({segment.pk: moved}, moment.now)
        except Exception as error:
            if (reason := fault_of_rule(error)) is None:
                raise
            break_segment(segment, reason, moment.now)
            return True
        Segment.objects.filter(pk=segment.pk).update(swept_at=moment.now, refreshed_at=moment.now)
        return True


def crossed(edges: frozenset[Edge], before: Moment, now: Moment) -> list[int] | None:
    """Return the people for whom an edge went by between two moments; None when only a full look can tell."""
    found: set[int] = set()
    with connection.cursor() as cursor:
        for edge in sorted(edges):
            if edge.kind == "property":
                if before.today != now.today:
                    return None
                continue
            if edge.kind == "trait" and before.today == now.today:
                continue
            sql, params = _crossing(edge, before, now)
            cursor.execute(f"{sql} LIMIT {MAX_SWEPT + 1}", params)
            found.update(row[0] for row in cursor.fetchall())
            if len(found) > MAX_SWEPT:
                return None
    return sorted(found)


def _crossing(edge: Edge, before: Moment, now: Moment) -> tuple[str, list[Any]]:
    past = [before.ago(edge.days), now.ago(edge.days)]
    if edge.kind == "event":
        return (
            "SELECT DISTINCT profile_id FROM profiles_interaction "
            "WHERE name = %s AND occurred_at > %s AND occurred_at <= %s",
            [edge.key, *past],
        )
    if edge.kind == "trait":
        # Both edges of a window of days: the far one moves from day to day, and so does today. What has a zone may
        # count for the day before or after the written one.
        day = timedelta(days=1)
        days = [before.ago(edge.days + 3).date(), now.ago(edge.days - 2).date(), before.today - day, now.today + day]
        written = [day.isoformat() for day in days]
        sql = (
            f"SELECT id FROM profiles_profile WHERE {alive()} AND traits ? %s AND "
            """(left(traits ->> %s, 10) COLLATE "C" BETWEEN %s AND %s """
            """OR left(traits ->> %s, 10) COLLATE "C" BETWEEN %s AND %s)"""
        )
        return sql, [edge.key, edge.key, *written[:2], edge.key, *written[2:]]
    column = {"first": "first_seen_at", "last": last_seen()}[edge.kind]
    # Without the condition of the index of people alive it could not be used.
    return f"SELECT id FROM profiles_profile WHERE {column} > %s AND {column} <= %s AND {alive()}", list(past)
