"""Write rows by COPY: one statement, however many rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from psycopg import sql

from profiles.importing.copying import copy_json, copy_text


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append rows to a table of ours; dicts become jsonb."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    lines = ["\t".join([_cell(value) for value in row]) for row in rows]
    if lines:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write("\n".join(lines) + "\n")


def _cell(value: Any) -> str:
    """Return a value in the text form of COPY; psycopg's own way costs more than the statement itself."""
    if type(value) is str:
        return copy_text(value)
    if value is None:
        return "\\N"
    if type(value) is bool:
        return "t" if value else "f"
    if isinstance(value, datetime):
        return value.isoformat()
    return copy_json(value) if isinstance(value, dict) else copy_text(str(value))
