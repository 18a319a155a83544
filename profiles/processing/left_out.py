"""Values that stored messages came in without, counted by source and field: what their sender should mend.

Of a value nothing is kept, of a field's name no more than MAX_FIELD characters and no address that stands in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from cdp.common.arrays import moments, numbers, texts
from cdp.common.masking import mask_text

#: different fields counted of one source; a hostile sender makes up as many as it likes
MAX_FIELDS = 200
MAX_FIELD = 200

_COUNT = """
INSERT INTO profiles_leftoutvalue AS v (source_id, code, field, count, first_at, last_at)
SELECT n.source_id, n.code, n.field, n.count, n.at, n.at
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[])
     AS n(source_id, code, field, count, at)
WHERE (SELECT count(*) FROM profiles_leftoutvalue o WHERE o.source_id = n.source_id) < %s
   OR EXISTS (SELECT FROM profiles_leftoutvalue o
              WHERE o.source_id = n.source_id AND o.code = n.code AND o.field = n.field)
ON CONFLICT (source_id, code, field) DO UPDATE SET count = v.count + excluded.count,
       first_at = least(v.first_at, excluded.first_at), last_at = greatest(v.last_at, excluded.last_at)
"""


def count_left_out(found: Iterable[tuple[int, str, str, datetime]]) -> None:
    """Count (source, code, field, when it was received) of values that were left out."""
    counts: Counter[tuple[int, str, str]] = Counter()
    last: dict[tuple[int, str, str], datetime] = {}
    for source_id, code, field, at in found:
        key = (source_id, code, mask_text(field)[:MAX_FIELD])
        counts[key] += 1
        last[key] = max(at, last.get(key, at))
    if not counts:
        return
    keys = sorted(counts)[: MAX_FIELDS * 5]
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            [
                numbers(key[0] for key in keys),
                texts(key[1] for key in keys),
                texts(key[2] for key in keys),
                numbers(counts[key] for key in keys),
                moments(last[key] for key in keys),
                MAX_FIELDS,
            ],
        )
