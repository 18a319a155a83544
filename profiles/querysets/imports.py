"""How imports and their rows are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection

from profiles.models import Import, ImportRow, Profile
from profiles.models.imports import Outcome

_COUNT = "SELECT outcome, reason, count(*) FROM profiles_importrow WHERE import_id = %s GROUP BY outcome, reason"
_LEFT_OUT = """
SELECT w.note ->> 0, w.note ->> 1, count(*) FROM profiles_importrow r
CROSS JOIN LATERAL jsonb_array_elements(r.data -> 'w') AS w(note)
WHERE r.import_id = %s AND r.data ? 'w' AND r.outcome NOT IN ('rejected', 'skipped')
GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT 200
"""
_FIELDS = """
SELECT f.key, count(*) FROM profiles_importrow r CROSS JOIN LATERAL jsonb_object_keys(r.changes) AS f(key)
WHERE r.import_id = %s AND r.outcome = 'updated' GROUP BY f.key ORDER BY count(*) DESC, f.key LIMIT 100
"""


def count_rows(import_id: int) -> dict[str, Any]:
    """Return what became of an import's rows.

    {"outcomes": {...}, "reasons": {outcome: {code: n}}, "fields": {trait: people}, "left_out": [[column, code, n]]}
    """
    outcomes: dict[str, int] = {outcome.value: 0 for outcome in Outcome}
    reasons: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [import_id])
        for outcome, reason, count in cursor.fetchall():
            outcomes[outcome] += count
            if reason:
                reasons.setdefault(outcome, {})[reason] = count
        cursor.execute(_FIELDS, [import_id])
        fields = dict(cursor.fetchall())
        cursor.execute(_LEFT_OUT, [import_id])
        left_out = [list(row) for row in cursor.fetchall()]
    return {"outcomes": outcomes, "reasons": reasons, "fields": fields, "left_out": left_out}


def with_people(page: Sequence[ImportRow]) -> Sequence[ImportRow]:
    """Give each row `.profile`, its person when there is one."""
    people = Profile.objects.in_bulk([row.profile_id for row in page if row.profile_id])
    for row in page:
        row.profile = people.get(row.profile_id or 0)  # type: ignore[attr-defined]  # for the page only
    return page


def rows_with_left_out(job: Import) -> Iterator[ImportRow]:
    """Yield the rows that came in without some of their cells, by line, in a stream."""
    rows = ImportRow.objects.filter(import_id=job.pk, data__has_key="w").order_by("line")
    return rows.exclude(outcome__in=(Outcome.REJECTED, Outcome.SKIPPED)).iterator(chunk_size=2000)


def rejected_rows(job: Import) -> Iterator[ImportRow]:
    """Yield the rejected rows by line, in a stream."""
    rows = ImportRow.objects.filter(import_id=job.pk, outcome=Outcome.REJECTED).order_by("line")
    return rows.iterator(chunk_size=2000)
