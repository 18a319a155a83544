"""Who is in which segment: one segment evaluated over everybody, or over some.

A full refresh and a look at some people are the same statement: the rule's people against the members, the difference
written with one row of history each (`membership_diff`). Each segment has a lock of its own, held until the transaction
ends, so that a slow one keeps nobody else waiting:

- a refresh (`refreshing`) waits for it; people who change meanwhile are looked at once more afterwards;
- the looks at touched people (`touched`) and at those whose windows move (`sweeping`) go round a segment that is taken.

A segment whose look fails or takes too long is put aside (`behind_since`): the others stay fresh, and a refresh makes
it right again. Only a fault of its rule breaks it, and only until what the rule names is back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime

import psycopg
from django.db import connection, transaction

from cdp.common.faults import Race, bounded
from cdp.common.queue_items import put
from cdp.common.reasons import Reason
from cdp.common.wake import wake
from segments.catalog_loader import known_catalog, moment_now, referencing, stored_catalog
from segments.membership_diff import Moved, clear_members, move_everybody, move_some
from segments.models import Membership, Segment, Status
from segments.reasons import rule_refused
from segments.rules.catalog import Catalog
from segments.rules.check import check
from segments.rules.errors import RuleError
from segments.rules.nodes import Moment, Rule
from segments.rules.parse import parse
from segments.rules.sql import ALL_TABLES, Tables, members_sql, work_memory

logger = logging.getLogger(__name__)

#: space of the advisory locks of segments; any constant that nothing else in this database uses
LOCKS = 7_203_101
#: of one join of a refresh, and of all of them together
MOST_MB, TOGETHER_MB = 128, 384
REFRESH = "segments_refresh"
REFRESH_SECONDS = 240.0
#: classes of SQLSTATE that speak of the statement that a rule was compiled to, whatever the server's state
_RULE_CLASSES = {"0A", "22", "42", "54"}


# Locks -------------------------------------------------------------------------------------------------------------
def lock_segment(segment_id: int) -> None:
    """Hold a segment until the transaction ends; wait for whoever has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', '60s', true)")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCKS, segment_id])


def try_lock_segments(segment_ids: Sequence[int]) -> set[int]:
    """Hold segments until the transaction ends; return those that nobody has or waits for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM unnest(%s::int[]) AS id WHERE pg_try_advisory_xact_lock(%s, id)", [list(segment_ids), LOCKS]
        )
        return {row[0] for row in cursor.fetchall()}


# One look ----------------------------------------------------------------------------------------------------------
def usable_rule(segment: Segment, catalog: Catalog) -> Rule:
    """Return the rule after asking again whether all that it names is there; raise RuleError when it is not."""
    assert segment.current_version is not None
    rule = parse(segment.current_version.rule)
    check(rule, catalog, segment_id=segment.pk)
    return rule


def evaluate(
    segment: Segment,
    catalog: Catalog,
    moment: Moment,
    *,
    cause: str,
    seconds: float,
    ids: Sequence[int] | None = None,
    tables: Tables = ALL_TABLES,
) -> Moved:
    """Write the difference for one segment, in a savepoint; the caller holds its lock.

    `ids`: only these people. Raises RuleError when the rule cannot be used, and whatever the database answers.
    """
    rule = usable_rule(segment, catalog)
    printed = members_sql(rule, catalog, moment, ids=ids, tables=tables)
    with transaction.atomic(), bounded(seconds), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('work_mem', %s, true)", [work_memory(printed[0], most=MOST_MB, together=TOGETHER_MB)]
        )
        if ids is None:
            return move_everybody(segment, printed, now=moment.now, cause=cause)
        return move_some(segment, printed, ids, now=moment.now, cause=cause)


def note_freshness(moved: dict[int, Moved], now: datetime) -> None:
    """Write down how many came and went, and that these segments are right as of now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE segments_segment s SET member_count = s.member_count + d.delta, "
            "refreshed_at = greatest(s.refreshed_at, %s) "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS d (id, delta) WHERE s.id = d.id",
            [now, list(moved), [item.entered - item.left for item in moved.values()]],
        )


def put_aside(segment: Segment, error: BaseException, now: datetime) -> None:
    """Leave a segment out of all looks until it was refreshed over everybody, which a task is asked to do."""
    logger.warning("segment %s is put aside until its refresh: %s", segment.pk, type(error).__name__)
    Segment.objects.filter(pk=segment.pk, behind_since=None).update(behind_since=now)
    put(REFRESH, [segment.pk])
    wake("segments.refresh")


# Rules that cannot be used -----------------------------------------------------------------------------------------
def fault_of_rule(error: BaseException) -> Reason | None:
    """Return why a rule cannot be used when an error is its fault; None when it is anything else's."""
    if isinstance(error, RuleError):
        return rule_refused(error)
    cause = error.__cause__
    if isinstance(cause, psycopg.Error) and (cause.sqlstate or "")[:2] in _RULE_CLASSES:
        return Reason("database_refused", {"error": type(cause).__name__})
    return None


def break_segment(segment: Segment, reason: Reason, now: datetime) -> set[int]:
    """Take everybody out of a segment whose rule cannot be used, and of those that build on it; return all of them.

    The caller holds its lock. They match nobody until a refresh finds the rule usable again.
    """
    logger.warning("segment %s is broken: %s %s", segment.pk, reason.code, dict(reason.params))
    rules = {key: fact.rule for key, fact in known_catalog().segments.items()}
    _break(segment, reason, now)
    above = Segment.objects.filter(pk__in=referencing(segment.pk, rules), status=Status.LIVE)
    free = try_lock_segments(list(above.order_by("pk").values_list("pk", flat=True)))
    for row in above.select_related("current_version").order_by("pk"):
        if row.pk in free:
            _break(row, Reason("builds_on_broken", {"segment": segment.name}), now)
        else:
            put(REFRESH, [row.pk])  # it is being refreshed: the next refresh finds what it builds on broken
    return {segment.pk, *free}


def _break(segment: Segment, reason: Reason, now: datetime) -> None:
    clear_members(segment, cause="broken", now=now)
    Segment.objects.filter(pk=segment.pk).update(
        status=Status.BROKEN,
        broken_code=reason.code,
        broken_params=reason.params,
        member_count=0,
        refreshed_at=now,
        behind_since=None,
    )


# Everybody ---------------------------------------------------------------------------------------------------------
@transaction.atomic
def refresh_segment(segment_id: int, *, cause: str = "refresh", now: datetime | None = None) -> Moved | None:
    """Evaluate one segment over everybody; return who moved, or None when it is not live (any more).

    A broken segment is tried again: what its rule names may be back.
    """
    lock_segment(segment_id)
    segment = Segment.objects.select_related("current_version").get(pk=segment_id)
    if segment.status == Status.ARCHIVED or segment.current_version is None:
        return None
    began, moment = time.monotonic(), moment_now(now)
    try:
        moved = evaluate(segment, _stored_catalog(segment), moment, cause=cause, seconds=REFRESH_SECONDS)
    except Exception as error:
        if (reason := fault_of_rule(error)) is None:
            raise
        break_segment(segment, reason, moment.now)
        return None
    # The row was not locked meanwhile, so that a page may rename it.
    kept = Segment.objects.filter(pk=segment_id, current_version=segment.current_version_id)
    if not kept.exclude(status=Status.ARCHIVED).update(
        status=Status.LIVE,
        broken_code="",
        broken_params={},
        member_count=Membership.objects.filter(segment_id=segment_id).count(),
        refreshed_at=moment.now,
        swept_at=moment.now,
        recounted_at=moment.now,
        behind_since=None,
        refresh_ms=int((time.monotonic() - began) * 1000),
    ):
        raise Race("the rule was changed or the segment archived meanwhile")
    note_sizes(moment)
    if segment.status == Status.BROKEN:
        _try_above(segment_id)
    return moved


def _try_above(segment_id: int) -> None:
    """Have the broken segments refreshed that build on one that is whole again."""
    broken = Segment.objects.filter(status=Status.BROKEN).exclude(current_version=None)
    rules: dict[int, Rule | None] = {}
    for row in broken.select_related("current_version"):
        assert row.current_version is not None
        try:
            rules[row.pk] = parse(row.current_version.rule)
        except RuleError:
            continue
    if above := referencing(segment_id, rules):
        put(REFRESH, sorted(above))
        wake("segments.refresh")


def _stored_catalog(segment: Segment) -> Catalog:
    """Return the catalog for a full refresh: also whether each trait is still in the catalogue."""
    assert segment.current_version is not None
    try:
        return stored_catalog(parse(segment.current_version.rule))
    except RuleError:
        return known_catalog()


def note_sizes(moment: Moment, *, segment_id: int | None = None) -> None:
    """Keep the size of every segment (of one) on this day, for the line of thirty days."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO segments_segmentsize (segment_id, day, members) "
            "SELECT id, %(day)s, member_count FROM segments_segment "
            "WHERE status <> 'archived' AND (%(one)s::bigint IS NULL OR id = %(one)s) ORDER BY id "
            "ON CONFLICT (segment_id, day) DO UPDATE SET members = excluded.members "
            "WHERE segments_segmentsize.members <> excluded.members",
            {"day": moment.today, "one": segment_id},
        )
