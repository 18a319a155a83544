"""How imports and their rows are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection

from profiles.models import Import, ImportRow, Profile
from profiles.models.imports import Outcome

_COUNT = "SELECT outcome, reason, count(*) FROM profiles_importrow WHERE import_id = %s GROUP BY outcome, reason"
_FIELDS = """
SELECT f.key, count(*) FROM profiles_importrow r CROSS JOIN LATERAL jsonb_object_keys(r.changes) AS f(key)
WHERE r.import_id = %s AND r.outcome = 'updated' GROUP BY f.key ORDER BY count(*) DESC, f.key LIMIT 100
"""


def count_rows(import_id: int) -> dict[str, Any]:
    """Return {"outcomes": {...}, "reasons": {outcome: {code: n}}, "fields": {trait: people}} of an import's rows."""
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
    return {"outcomes": outcomes, "reasons": reasons, "fields": fields}


def with_people(page: Sequence[ImportRow]) -> Sequence[ImportRow]:
    """Give each row `.profile`, its person when there is one."""
    people = Profile.objects.in_bulk([row.profile_id for row in page if row.profile_id])
    for row in page:
        row.profile = people.get(row.profile_id or 0)  # type: ignore[attr-defined]  # for the page only
    return page


def rejected_rows(job: Import) -> Iterator[ImportRow]:
    """Yield the rejected rows by line, in a stream."""
    rows = ImportRow.objects.filter(import_id=job.pk, outcome=Outcome.REJECTED).order_by("line")
    return rows.iterator(chunk_size=2000)
