"""Long lists on their way into a statement, as PostgreSQL array literals.

psycopg adapts a list item by item in Python, which costs a block of thousands of rows more than its statement does.
These functions write the literal at once; the statement says the type (`%s::bigint[]`). See "Array Value Input" in the
manual of PostgreSQL: quoted elements escape only the quote and the backslash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.types.datetime import TimestamptzLoader


def numbers(values: Iterable[int | None]) -> str:
    """Return an array of integers; None becomes NULL."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def flags(values: Iterable[bool]) -> str:
    """Return an array of booleans."""
    return "{" + ",".join(["t" if value else "f" for value in values]) + "}"


def moments(values: Iterable[datetime | None]) -> str:
    """Return an array of times that know their zone; None becomes NULL."""
    return "{" + ",".join(["NULL" if value is None else value.isoformat() for value in values]) + "}"


def texts(values: Iterable[str | None]) -> str:
    """Return an array of texts, JSON documents or whatever PostgreSQL reads from text; None becomes NULL."""
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def binaries(values: Iterable[bytes]) -> str:
    """Return an array of byte strings, in the hexadecimal form of bytea."""
    return "{" + ",".join(['"\\\\x' + value.hex() + '"' for value in values]) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextmanager
def bulk_cursor() -> Iterator[CursorWrapper]:
    """Open a cursor that reads times with psycopg's own loader: Django's is written in Python, a microsecond each.

    The times come in the session's zone, which Django sets to UTC.
    """
    with connection.cursor() as cursor:
        cursor.cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        yield cursor
