"""The engine: who is in which segment, kept so by full refreshes, by looks at the touched people, and by time.

One engine works at a time, by an advisory lock that lives as long as its transaction. A full refresh and the look at
the touched people are the same statement, over everybody or over some: the rule's people against the members, the
difference written with one row of history each (`differences`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import override

from cdp.common.reasons import Reason
from cdp.common.wake import wake
from segments.catalog_loader import catalog_for, known_catalog, moment_now, referencing
from segments.membership_diff import Moved, clear_members, move_everybody, move_some
from segments.models import Membership, Segment, Status
from segments.reasons import rule_refused
from segments.rules.catalog import Catalog
from segments.rules.check import check
from segments.rules.errors import RuleError
from segments.rules.nodes import Moment, Rule
from segments.rules.parse import parse
from segments.rules.sliding_windows import Edge, moving_edges
from segments.rules.sql import ALL_TABLES, Tables, members_sql
from segments.touched_batch import WORTH, Needs, fill_block

logger = logging.getLogger(__name__)

BLOCK = 5_000
#: somebody else's engine gives way to a refresh within this time; a refresh itself may take as long as it needs
LOCK = 7_203_101
WORK_MEMORY = "128MB"
REFRESH_TIMEOUT = "240s"
#: beyond this many people whose window moved, a refresh of the whole segment is cheaper
MAX_SWEPT = 50_000


@contextmanager
def _engine(*, wait: bool) -> Iterator[bool]:
    """Open a transaction that holds the engine's lock; yield False when another engine is at work."""
    with transaction.atomic(), connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT set_config('lock_timeout', '60s', true)")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            held = True
        else:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            held = bool(cursor.fetchone()[0])
        if held:
            cursor.execute(
                "SELECT set_config('work_mem', %s, true), set_config('statement_timeout', %s, true)",
                [WORK_MEMORY, REFRESH_TIMEOUT],
            )
        yield held


# The touched people ------------------------------------------------------------------------------------------------
def process_touched(*, seconds: float = 50.0, block: int = BLOCK) -> int:
    """Look again at all people that wait, block by block; return how many. Does nothing while another engine works.

    Whoever finds the lock taken leaves. So the holder looks at the queue once more after letting go: rows that came in
    between are its own work, or a wake-up would be lost.
    """
    done = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with _engine(wait=False) as held:
            taken = _process_block(block) if held else 0
        done += taken
        if not held or (taken == 0 and not _anybody_waits()):
            return done
    wake("segments.process_touched")
    return done


def _anybody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM segments_touched)")
        return bool(cursor.fetchone()[0])


def _process_block(block: int) -> int:
    """Take up to `block` rows of the queue, evaluate every live segment for those people, and write what moved."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM segments_touched WHERE id = ANY (ARRAY("
            "SELECT id FROM segments_touched ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING profile_id",
            [block],
        )
        ids = sorted({row[0] for row in cursor.fetchall()})
    if not ids:
        return 0
    moment = moment_now()
    catalog = known_catalog()
    moved: dict[int, Moved] = {}
    segments = _live_segments()
    tables = _tables_for(segments, catalog, moment, ids)
    for segment in segments:
        result = _evaluate(segment, catalog, moment, cause="touched", ids=ids, tables=tables)
        if result is not None:
            moved[segment.pk] = result
    _note_freshness(moved, moment.now)
    return len(ids)


def _tables_for(segments: Sequence[Segment], catalog: Catalog, moment: Moment, ids: Sequence[int]) -> Tables:
    """Return where to read the people: a copy of the block when enough segments will ask for it."""
    rules = [fact.rule for row in segments if (fact := catalog.segments.get(row.pk)) and fact.rule is not None]
    if len(rules) < WORTH:
        return ALL_TABLES
    return fill_block(ids, Needs.of(rules, catalog), moment)


def _live_segments() -> list[Segment]:
    rows = Segment.objects.filter(status=Status.LIVE).select_related("current_version")
    # A segment without any refresh yet waits for its first one: a part of its members would be a wrong answer.
    return list(rows.exclude(refreshed_at=None).order_by("pk"))


def _note_freshness(moved: dict[int, Moved], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE segments_segment s SET member_count = s.member_count + d.delta, "
            "refreshed_at = greatest(s.refreshed_at, %s) "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS d (id, delta) WHERE s.id = d.id",
            [now, list(moved), [item.entered - item.left for item in moved.values()]],
        )


# One segment -------------------------------------------------------------------------------------------------------
def _evaluate(
    segment: Segment,
    catalog: Catalog,
    moment: Moment,
    *,
    cause: str,
    ids: Sequence[int] | None = None,
    tables: Tables = ALL_TABLES,
) -> Moved | None:
    """Write the difference for one segment; mark it broken (and return None) when its rule cannot be used."""
    try:
        rule = _usable(segment, catalog)
        with transaction.atomic():
            return _diff(segment, rule, catalog, moment, cause=cause, ids=ids, tables=tables)
    except RuleError as error:
        _break(segment, rule_refused(error), moment.now)
    except OperationalError:
        raise  # time ran out or the server is going: nothing is wrong with the rule
    except DatabaseError as error:
        logger.exception("segment %s cannot be evaluated", segment.pk)
        _break(segment, Reason("database_refused", {"error": type(error).__name__}), moment.now)
    return None


def _usable(segment: Segment, catalog: Catalog) -> Rule:
    """Return the rule after asking again whether all that it names is there."""
    assert segment.current_version is not None
    rule = parse(segment.current_version.rule)
    check(rule, catalog, segment_id=segment.pk)
    return rule


def _diff(
    segment: Segment,
    rule: Rule,
    catalog: Catalog,
    moment: Moment,
    *,
    cause: str,
    ids: Sequence[int] | None,
    tables: Tables,
) -> Moved:
    printed = members_sql(rule, catalog, moment, ids=ids, tables=tables)
    if ids is None:
        return move_everybody(segment, printed, now=moment.now, cause=cause)
    return move_some(segment, printed, ids, now=moment.now, cause=cause)


def _break(segment: Segment, reason: Reason, now: datetime) -> None:
    """Take everybody out of a segment whose rule cannot be used, and say so. It matches nobody until it is mended."""
    clear_members(segment, cause="broken", now=now)
    Segment.objects.filter(pk=segment.pk).update(
        status=Status.BROKEN, broken_code=reason.code, broken_params=reason.params, member_count=0, refreshed_at=now
    )
    logger.warning("segment %s is broken: %s %s", segment.pk, reason.code, dict(reason.params))
    for other in sorted(referencing(segment.pk, {key: fact.rule for key, fact in known_catalog().segments.items()})):
        row = Segment.objects.select_related("current_version").get(pk=other)
        clear_members(row, cause="broken", now=now)
        Segment.objects.filter(pk=other, status=Status.LIVE).update(
            status=Status.BROKEN,
            broken_code="builds_on_broken",
            broken_params={"segment": segment.name},
            member_count=0,
            refreshed_at=now,
        )


def refresh_segment(segment_id: int, *, cause: str = "refresh", now: datetime | None = None) -> Moved | None:
    """Evaluate one segment over everybody; return who moved, or None when it is not live (any more).

    A broken segment is tried again: what its rule names may be back.
    """
    with _engine(wait=True):
        segment = Segment.objects.select_related("current_version").select_for_update(of=("self",)).get(pk=segment_id)
        if segment.status == Status.ARCHIVED or segment.current_version is None:
            return None
        began = time.monotonic()
        moment = moment_now(now)
        moved = _evaluate(segment, _full_catalog(segment), moment, cause=cause)
        if moved is not None:
            segment.status, segment.broken_code, segment.broken_params = Status.LIVE, "", {}
            segment.member_count = Membership.objects.filter(segment_id=segment.pk).count()
            segment.refreshed_at = segment.swept_at = moment.now
            segment.refresh_ms = int((time.monotonic() - began) * 1000)
            segment.save(
                update_fields=[
                    "status",
                    "broken_code",
                    "broken_params",
                    "member_count",
                    "refreshed_at",
                    "swept_at",
                    "refresh_ms",
                ]
            )
            note_size(moment)
        wake("segments.process_touched")  # whoever was woken meanwhile found the lock taken
    return moved


def _full_catalog(segment: Segment) -> Catalog:
    """Return the catalog for a full refresh: also whether each trait still exists."""
    assert segment.current_version is not None
    try:
        return catalog_for(parse(segment.current_version.rule), saving=False)
    except RuleError:
        return known_catalog()


def refresh_all(*, now: datetime | None = None) -> int:
    """Refresh every segment that is not archived; return how many."""
    ids = list(Segment.objects.exclude(status=Status.ARCHIVED).order_by("pk").values_list("pk", flat=True))
    for segment_id in ids:
        refresh_segment(segment_id, now=now)
    return len(ids)


def refresh_new() -> int:
    """Refresh the segments that have never been: their first wake-up was lost. Return how many."""
    ids = list(Segment.objects.filter(status=Status.LIVE, refreshed_at=None).values_list("pk", flat=True))
    for segment_id in ids:
        refresh_segment(segment_id, cause="rule")
    return len(ids)


# What time alone changes -------------------------------------------------------------------------------------------
def sweep(*, now: datetime | None = None) -> int:
    """Follow the moving edges of all live rules: look again at those for whom an edge went by. Return how many."""
    swept = 0
    with override("en"):
        for segment in _live_segments():
            swept += _sweep_segment(segment.pk, now)
    return swept


def _sweep_segment(segment_id: int, now: datetime | None) -> int:
    """Look again at the people of one segment whose windows moved since the last sweep."""
    whole = False
    with _engine(wait=True):
        segment = Segment.objects.select_related("current_version").get(pk=segment_id)
        if segment.status != Status.LIVE or segment.swept_at is None:
            return 0
        moment = moment_now(now)
        before = Moment(segment.swept_at, moment.zone)
        if moment.now <= before.now:
            return 0
        catalog = known_catalog()
        try:
            edges = moving_edges(_usable(segment, catalog), catalog)
        except RuleError as error:
            _break(segment, rule_refused(error), moment.now)
            return 0
        ids = crossed(edges, before, moment)
        whole = ids is None or len(ids) > MAX_SWEPT
        if not whole and ids:
            moved = _evaluate(segment, catalog, moment, cause="time", ids=ids)
            if moved is None:
                return len(ids)
            _note_freshness({segment.pk: moved}, moment.now)
        if not whole:
            Segment.objects.filter(pk=segment.pk).update(swept_at=moment.now, refreshed_at=moment.now)
            note_size(moment)
    if whole:
        refresh_segment(segment_id, cause="time", now=now)
        return MAX_SWEPT
    return len(ids or ())


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
        # Both edges of a window of days: the far one moves from day to day, and so does today.
        days = [before.ago(edge.days + 2).date(), now.ago(edge.days - 1).date(), before.today, now.today]
        written = [day.isoformat() for day in days]
        sql = (
            "SELECT id FROM profiles_profile WHERE traits ? %s AND "
            """(left(traits ->> %s, 10) COLLATE "C" BETWEEN %s AND %s """
            """OR left(traits ->> %s, 10) COLLATE "C" BETWEEN %s AND %s)"""
        )
        return sql, [edge.key, edge.key, *written[:2], edge.key, *written[2:]]
    column = {"first": "first_seen_at", "last": "last_seen_at"}[edge.kind]
    return f"SELECT id FROM profiles_profile WHERE {column} > %s AND {column} <= %s", list(past)


def note_size(moment: Moment) -> None:
    """Keep the size of every segment on this day, for the line of thirty days."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO segments_segmentsize (segment_id, day, members) "
            "SELECT id, %s, member_count FROM segments_segment WHERE status <> 'archived' ORDER BY id "
            "ON CONFLICT (segment_id, day) DO UPDATE SET members = excluded.members "
            "WHERE segments_segmentsize.members <> excluded.members",
            [moment.today],
        )


def queue_state() -> tuple[int, float | None]:
    """Return how many people wait to be looked at again, and how long the first has waited."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), min(since) FROM segments_touched")
        count, oldest = cursor.fetchone()
    return count, (timezone.now() - oldest).total_seconds() if oldest else None
