"""Keep all segments right for the people who changed: block by block, each evaluated by every live segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from cdp.common.arrays import numbers
from cdp.common.faults import Fault, OutOfTime, fault_of
from cdp.common.models import DeadLetter, QueueItem
from cdp.common.queue_blocks import BlockTable, Row, work_blocks
from cdp.common.queues import Run
from cdp.common.wake import wake
from segments.catalog_loader import known_catalog, moment_now
from segments.membership import (
    REFRESH,
    break_segment,
    evaluate,
    fault_of_rule,
    note_freshness,
    put_aside,
    try_lock_segments,
)
from segments.membership_diff import Moved
from segments.models import Segment, Status
from segments.rules.catalog import Catalog
from segments.rules.nodes import Moment
from segments.rules.sql import ALL_TABLES, Tables
from segments.touched_batch import WORTH, Needs, fill_block

NAME = "segments_touched"
#: a row with a segment is for that one alone: it was being refreshed when the person was looked at
TOUCHED = BlockTable("segments_touched", "id, profile_id, segment_id, since", since="since")
BLOCK = 5_000
#: what one segment may take for a block
SEGMENT_SECONDS = 10.0
#: rows for a segment that was taken wait so long; while it is being refreshed they wait for its end, or so long
AGAIN_SECONDS, REFRESH_SECONDS = 1, 30


@dataclass
class _Block:
    """A block of people under evaluation."""

    everywhere: set[int]  # to be looked at by all segments
    only: dict[int, set[int]]  # and by some segments alone
    since: datetime
    moment: Moment
    catalog: Catalog
    moved: dict[int, Moved] = field(default_factory=dict)
    again: dict[int, Sequence[int]] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    slow: int = 0

    def people_of(self, segment_id: int) -> list[int]:
        """Return whom a segment has to look at."""
        return sorted(self.everywhere | self.only.get(segment_id, set()))


def touch(profile_ids: Sequence[int]) -> None:
    """Put people into the queue and wake it."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO segments_touched (profile_id) SELECT unnest(%s::bigint[])", [numbers(profile_ids)])
    wake("segments.process_touched")


def release_waiting(segment_id: int) -> None:
    """Make those due whom a segment could not look at while it was being refreshed."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE segments_touched SET due_at = NULL WHERE segment_id = %s", [segment_id])
        if cursor.rowcount:
            wake("segments.process_touched")


def work_touched(run: Run) -> int:
    """Look again at all people that wait; return how many rows were worked at."""
    return work_blocks(run, TOUCHED, _process, limit=BLOCK, alone=lambda row, error: _put_off(run, row, error))


def _put_off(run: Run, row: Row, error: Exception | None) -> None:
    """Let a person wait whose look alone fails; given up, they are known by their own id, whatever touched them."""
    TOUCHED.put_off(run, row[0], error, letter_key=row[1])


def retry_person(letter: DeadLetter) -> None:
    """Put the person of a dead letter back."""
    touch([int(letter.key)])


def _process(rows: list[Row]) -> int:
    """Evaluate every live segment for the people of these rows, write what moved, and delete the rows."""
    given_up = DeadLetter.objects.filter(queue=NAME, key__in={str(row[1]) for row in rows})
    left_out = {int(key) for key in given_up.values_list("key", flat=True)}
    everywhere = {profile for _id, profile, segment, _since in rows if segment is None} - left_out
    only: dict[int, set[int]] = {}
    for _id, profile, segment, _since in rows:
        if segment is not None and profile not in left_out:
            only.setdefault(segment, set()).add(profile)
    if everywhere or only:
        _evaluate_all(_Block(everywhere, only, min(row[3] for row in rows), moment_now(), known_catalog()))
    TOUCHED.delete([row[0] for row in rows])
    return len(rows)


def _evaluate_all(block: _Block) -> None:
    live = Segment.objects.filter(status=Status.LIVE).exclude(current_version=None).select_related("current_version")
    segments = list(live.order_by("pk"))
    tables = _tables_for(segments, block)
    free = try_lock_segments([segment.pk for segment in segments])
    for segment in segments:
        people = block.people_of(segment.pk)
        if people and segment.pk not in free:
            block.again[segment.pk] = people
        elif people and segment.pk not in block.broken:
            _look(segment, people, block, tables)
    if block.slow > max(2, len(segments) // 4):
        # Not the segments are slow but a person of this block, or the machine: take the block apart.
        raise OutOfTime(f"{block.slow} segments took too long")
    note_freshness(block.moved, block.moment.now)
    _look_again_later(block)


def _look(segment: Segment, people: Sequence[int], block: _Block, tables: Tables) -> None:
    """Evaluate one segment for people. Whatever it does, the others go on."""
    if segment.refreshed_at is None or segment.behind_since is not None:
        return  # it waits for a refresh, which will see these people as they are now: nobody holds its lock
    try:
        block.moved[segment.pk] = evaluate(
            segment,
            block.catalog,
            block.moment,
            cause="touched",
            seconds=SEGMENT_SECONDS,
            ids=people,
            tables=ALL_TABLES if segment.pk in block.only else tables,
        )
    except Exception as error:
        fault = fault_of(error)
        if fault is Fault.SERVER:
            raise
        if fault is Fault.RACE:
            block.again[segment.pk] = people
        elif reason := fault_of_rule(error):
            block.broken |= break_segment(segment, reason, block.moment.now)
            block.catalog = known_catalog()
        else:
            block.slow += fault is Fault.TIMEOUT
            put_aside(segment, error, block.moment.now)


def _tables_for(segments: Sequence[Segment], block: _Block) -> Tables:
    """Return where to read the people: a copy of the block when enough segments will ask for it."""
    facts = block.catalog.segments
    rules = [fact.rule for row in segments if (fact := facts.get(row.pk)) and fact.rule is not None]
    if len(rules) < WORTH or not block.everywhere:
        return ALL_TABLES
    return fill_block(sorted(block.everywhere), Needs.of(rules, block.catalog), block.moment)


def _look_again_later(block: _Block) -> None:
    if not block.again:
        return
    held = QueueItem.objects.filter(queue=REFRESH, key__in=block.again).exclude(holder=None)
    refreshing = set(held.values_list("key", flat=True))
    with connection.cursor() as cursor:
        for segment_id, people in sorted(block.again.items()):
            wait = REFRESH_SECONDS if segment_id in refreshing else AGAIN_SECONDS
            cursor.execute(
                "INSERT INTO segments_touched (profile_id, segment_id, since, due_at)"
                " SELECT unnest(%s::bigint[]), %s, %s, now() + make_interval(secs => %s)",
                [numbers(people), segment_id, block.since, wait],
            )
