"""The home page's card of segments that moved, and the health check of broken ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from segments.models import Segment, Status

SHOWN = 6
#: rows of history looked at for a segment; more movement than this is shown as this much
MOST_CHANGES = 100_000


def movements(segment_ids: list[int], *, hours: int = 24) -> dict[int, tuple[int, int]]:
    """Return (entered, left) of the last hours by segment."""
    since = timezone.now() - timedelta(hours=hours)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.id, c.entered, c.gone FROM unnest(%s::bigint[]) AS s (id), LATERAL ("
            "SELECT count(*) FILTER (WHERE r.entered) AS entered, count(*) FILTER (WHERE NOT r.entered) AS gone FROM ("
            "SELECT entered FROM segments_membershipchange WHERE segment_id = s.id AND at >= %s LIMIT %s) r) c",
            [segment_ids, since, MOST_CHANGES],
        )
        return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}


def moved_card(_request: HttpRequest) -> dict[str, Any] | None:
    """Return the segments that moved most in 24 hours; None without segments."""
    rows = {row.pk: row for row in Segment.objects.exclude(status=Status.ARCHIVED)[:500]}
    if not rows:
        return None
    moved = movements(list(rows))
    ranked = sorted(moved.items(), key=lambda item: (-(item[1][0] + item[1][1]), item[0]))[:SHOWN]
    return {
        "moved_segments": [
            {"segment": rows[key], "entered": entered, "left": left}
            for key, (entered, left) in ranked
            if entered + left
        ],
        "broken_segments": [row for row in rows.values() if row.status == Status.BROKEN],
    }


def broken_check() -> tuple[bool, str, str]:
    """Tell whether any segment is broken."""
    names = list(Segment.objects.filter(status=Status.BROKEN).values_list("name", flat=True)[:20])
    if names:
        return False, _("Broken: %(names)s") % {"names": ", ".join(names)}, _("Open each segment and mend its rule.")
    return True, _("No segment is broken."), ""
