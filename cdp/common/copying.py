"""Rows on their way into a table by COPY: many times as fast as INSERT.

Lines are written here, in the text form of COPY: psycopg's own way costs more than the statement itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from django.db import connection
from psycopg import sql

_encode = msgspec.json.Encoder().encode
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
NULL = "\\N"


def copy_text(value: str) -> str:
    """Return text with the signs escaped that end a cell or a line."""
    return value.translate(_ESCAPES) if "\\" in value or not value.isprintable() else value


def copy_json(value: Any) -> str:
    """Return JSON, which holds no tab or line end of its own; NULL for None."""
    return NULL if value is None else _encode(value).decode().replace("\\", "\\\\")


@lru_cache(maxsize=1024)
def copy_time(value: datetime | None) -> str:
    """Return a time that knows its zone; NULL for None. The rows of a block often share their times."""
    return NULL if value is None else value.isoformat()


def copy_lines(statement: str, lines: Sequence[str]) -> None:
    """Write finished lines."""
    if lines:
        # What COPY finds wrong comes at its end, where Django's cursor does not look: callers catch Django's errors.
        with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write("".join(lines).encode())


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append rows to a table of ours; dicts and lists become jsonb."""
    lines = ["\t".join([_cell(value) for value in row]) + "\n" for row in rows]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    copy_lines(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names).as_string(), lines)


def _cell(value: Any) -> str:
    if type(value) is str:
        return copy_text(value)
    if value is None:
        return NULL
    if type(value) is bool:
        return "t" if value else "f"
    if isinstance(value, datetime):
        return value.isoformat()
    return copy_json(value) if isinstance(value, dict | list) else copy_text(str(value))
