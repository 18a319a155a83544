"""Refresh segments over everybody: new rules, those put aside or broken, and each once a day. One segment, one item."""

from __future__ import annotations

from django.db import connection

from cdp.common.faults import persist
from cdp.common.queue_items import Claim, feed, work_items
from cdp.common.queues import Run
from segments.membership import REFRESH, refresh_segment
from segments.models import Segment
from segments.touched import release_waiting

# A wish that was lost is found here, and what is broken heals by being tried again.
_WANTED = """
SELECT id FROM segments_segment WHERE current_version_id IS NOT NULL AND (
    status = 'live' AND (refreshed_at IS NULL OR behind_since IS NOT NULL OR recounted_at < now() - interval '1 day')
    OR status = 'broken' AND refreshed_at < now() - interval '10 minutes')
"""
_WAITING = """
SELECT count(*), extract(epoch FROM now() - min(coalesce(s.behind_since, v.created_at)))::float
FROM segments_segment s JOIN segments_segmentversion v ON v.id = s.current_version_id
WHERE s.status = 'live' AND (s.refreshed_at IS NULL OR s.behind_since IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM common_deadletter d WHERE d.queue = %s AND d.key = s.id::text)
"""


def work_refreshes(run: Run) -> int:
    """Refresh what is due, one by one; return how many."""
    feed(REFRESH, _WANTED)
    return work_items(run, _refresh)


def _refresh(claim: Claim) -> None:
    known = Segment.objects.filter(pk=claim.key).values_list("refreshed_at", flat=True).first()
    persist(lambda: refresh_segment(claim.key, cause="refresh" if known else "rule"))
    release_waiting(claim.key)


def measure() -> tuple[int, float | None]:
    """Return how many live segments wait for a refresh that was not given up, and for how long the first has."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [REFRESH])
        count, age = cursor.fetchone()
    return count, age
