"""Give each change of a person its place in the change feed, after its commit and in one line.

A transaction that began early may commit late. Its stamps would lie before what others have read by then, and its
numbers too. So the writers only leave a row each (`profiles.feed`); what can be seen of these is committed, and gets
its place here, by one worker at a time, behind all places given before.
"""

from __future__ import annotations

from django.db import connection

from cdp.common.arrays import numbers
from cdp.common.models import DeadLetter
from cdp.common.queue_blocks import BlockTable, Row, work_blocks
from cdp.common.queues import Run
from profiles.feed import note_changed

CHANGED = BlockTable("profiles_changed", "id, profile_id", since="since")
BLOCK = 5_000
#: any constant that nothing else uses
_LOCK = 7_203_302

#: Two rows never share a time, and the clock may go back: then the feed's does not.
_PLACE = """
INSERT INTO profiles_personchange AS f (profile_id, uuid, changed_at, gone)
SELECT found.id, found.uuid, begin.at + row_number() OVER (ORDER BY found.id) * interval '1 microsecond', found.gone
FROM (
    SELECT c.id, coalesce(p.uuid, c.uuid, known.uuid) AS uuid,
        p.id IS NULL OR p.merged_into_id IS NOT NULL OR p.erased_at IS NOT NULL AS gone
    FROM (
        SELECT profile_id AS id, max(uuid::text)::uuid AS uuid FROM profiles_changed
        WHERE id = ANY(%s::bigint[]) GROUP BY profile_id
    ) AS c
    LEFT JOIN profiles_profile p ON p.id = c.id
    LEFT JOIN profiles_personchange known ON known.profile_id = c.id
) AS found
CROSS JOIN (SELECT greatest(clock_timestamp(), (SELECT max(changed_at) FROM profiles_personchange)) AS at) AS begin
WHERE found.uuid IS NOT NULL
ON CONFLICT (profile_id) DO UPDATE
SET uuid = excluded.uuid, changed_at = excluded.changed_at, gone = excluded.gone
"""


def work_changed(run: Run) -> int:
    """Give all changes that wait their place; return how many rows were worked at."""
    return work_blocks(run, CHANGED, _place, limit=BLOCK, alone=lambda row, error: _put_off(run, row, error))


def retry_change(letter: DeadLetter) -> None:
    """Put the person of a dead letter back."""
    note_changed([int(letter.key)])


def _put_off(run: Run, row: Row, error: Exception | None) -> None:
    CHANGED.put_off(run, row[0], error, letter_key=row[1])


def _place(rows: list[Row]) -> int:
    ids = [row[0] for row in rows]
    with connection.cursor() as cursor:
        # The slot is a lock of the session; this one lasts until what is written here can be seen.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(_PLACE, [numbers(ids)])
    CHANGED.delete(ids)
    return len(rows)
