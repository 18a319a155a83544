"""Count without reading everything: exactly while it is few, by the planner's statistics beyond."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

#: lists count no further than this; above it they say `10,000+`
COUNT_CAP = 10_000
_ROWS = re.compile(r"\[.*\]", re.DOTALL)


@dataclass(frozen=True)
class Count:
    """A number of rows, and whether it is an estimate."""

    value: int
    about: bool = False


def capped_count(rows: QuerySet[Any], cap: int = COUNT_CAP) -> int:
    """Count at most `cap` + 1 rows: the filter `capped` writes more as `10,000+`."""
    return rows.order_by()[: cap + 1].count()


def estimated_count(rows: QuerySet[Any], cap: int = COUNT_CAP) -> Count:
    """Count exactly up to `cap`; beyond it return what the planner expects, which reads no rows at all."""
    exact = capped_count(rows, cap)
    if exact <= cap:
        return Count(exact)
    plan = rows.order_by().values("pk").explain(format="json")
    found = _ROWS.search(plan)
    expected = json.loads(found[0])[0]["Plan"]["Plan Rows"] if found else 0
    return Count(max(int(expected), exact), about=True)


def index_count(index: str) -> int | None:
    """Return how many entries an index had when it was last vacuumed or analyzed; None when that is not known."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", [index])
        row = cursor.fetchone()
    return row[0] if row and row[0] > 0 else None


def estimated_rows(table: str) -> int:
    """Return how many rows a table had when it was last vacuumed or analyzed; 0 when that is not known."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(c.reltuples), 0)::bigint FROM pg_class c WHERE c.reltuples > 0 AND (c.oid = "
            "to_regclass(%s) OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(%s)))",
            [table, table],
        )
        return int(cursor.fetchone()[0])
