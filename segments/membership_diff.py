"""Write who came into a segment and who left it: the rule's people against its members.

First the difference is read, then only the difference is written. Reading it apart lets PostgreSQL use its parallel
workers, and a look at which nobody moved writes nothing at all. A full join can only be hashed or merged, and leavers
are named by an array, so that no stale statistics on a segment just filled turn either into a loop over both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from profiles.feed import NOTE
from segments.models import Segment
from segments.rules.sql import Sql

_READ = """
SELECT COALESCE(t.id, m.profile_id) AS profile_id, m.profile_id IS NULL AS entered
FROM (
{rule}
) t
FULL JOIN (SELECT profile_id FROM segments_membership WHERE segment_id = %(segment)s{some}) m ON m.profile_id = t.id
WHERE t.id IS NULL OR m.profile_id IS NULL
"""
_LEAVE = (
    "DELETE FROM segments_membership WHERE segment_id = %(segment)s "
    "AND profile_id = ANY (ARRAY(SELECT profile_id FROM {moved} WHERE NOT entered))"
)
_ENTER = (
    "INSERT INTO segments_membership (profile_id, segment_id, version_id, since) "
    "SELECT profile_id, %(segment)s, %(version)s, %(now)s FROM {moved} WHERE entered ORDER BY profile_id"
)
_NOTE = (
    "INSERT INTO segments_membershipchange (profile_id, segment_id, version_id, entered, at, cause) "
    "SELECT profile_id, %(segment)s, %(version)s, entered, %(now)s, %(cause)s FROM {moved} ORDER BY profile_id"
)
_TELL = NOTE + " SELECT profile_id FROM {moved}"
_CLEAR = f"""
WITH went AS (DELETE FROM segments_membership WHERE segment_id = %(segment)s RETURNING profile_id),
    told AS ({NOTE} SELECT profile_id FROM went)
INSERT INTO segments_membershipchange (profile_id, segment_id, version_id, entered, at, cause)
SELECT profile_id, %(segment)s, %(version)s, false, %(now)s, %(cause)s FROM went
"""
_GIVEN = "unnest(%(moved)s::bigint[], %(flags)s::boolean[]) AS d (profile_id, entered)"


@dataclass(frozen=True)
class Moved:
    """How many came into a segment and went out of it."""

    entered: int = 0
    left: int = 0


def move_everybody(segment: Segment, rule: Sql, *, now: datetime, cause: str) -> Moved:
    """Write the difference for all people. Call it inside a transaction."""
    text, params = rule
    params = params | _facts(segment, now, cause)
    read = _READ.replace("{rule}", text).replace("{some}", "")
    with connection.cursor() as cursor:
        # Over everybody a loop of look-ups is never the best plan, and the worst one when an estimate is wrong.
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(f"CREATE TEMP TABLE segments_moved ON COMMIT DROP AS {read}", params)
        cursor.execute("SET LOCAL enable_nestloop = on")
        moved = _write(cursor, "segments_moved", params) if cursor.rowcount else Moved()
        cursor.execute("DROP TABLE segments_moved")
    return moved


def move_some(segment: Segment, rule: Sql, ids: Sequence[int], *, now: datetime, cause: str) -> Moved:
    """Write the difference for these people; `rule` is printed for them alone. Call it inside a transaction."""
    text, params = rule
    params = params | _facts(segment, now, cause) | {"some": list(ids)}
    read = _READ.replace("{rule}", text).replace("{some}", " AND profile_id = ANY (%(some)s::bigint[])")
    with connection.cursor() as cursor:
        cursor.execute(read, params)
        rows = cursor.fetchall()
        if not rows:
            return Moved()
        params |= {"moved": [row[0] for row in rows], "flags": [row[1] for row in rows]}
        return _write(cursor, _GIVEN, params)


def clear_members(segment: Segment, *, cause: str, now: datetime) -> None:
    """Take everybody out, with a row of history each."""
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, _facts(segment, now, cause))


def _facts(segment: Segment, now: datetime, cause: str) -> dict[str, Any]:
    return {"segment": segment.pk, "version": segment.current_version_id, "now": now, "cause": cause}


def _write(cursor: Any, moved: str, params: dict[str, Any]) -> Moved:
    cursor.execute(_LEAVE.replace("{moved}", moved), params)
    left = cursor.rowcount
    cursor.execute(_ENTER.replace("{moved}", moved), params)
    entered = cursor.rowcount
    cursor.execute(_NOTE.replace("{moved}", moved), params)
    cursor.execute(_TELL.replace("{moved}", moved), params)
    return Moved(entered, left)
