"""Search everything that is stored for the words of an erased person: every table there is, whoever made it.

An erasure goes by what it knows of each table. This goes by the catalogue of PostgreSQL and knows none, so it finds
what the erasure does not know: an address in another person's note, a table that a later version added.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from django.utils.text import capfirst

_COLUMNS = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relname, a.attname, coalesce(e.typname, t.typname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%%'
  AND n.nspname <> 'information_schema'
  AND coalesce(e.typname, t.typname)
      IN ('text', 'varchar', 'bpchar', 'citext', 'json', 'jsonb', 'hstore', 'xml', 'bytea')
ORDER BY pg_total_relation_size(c.oid), c.oid, a.attnum
"""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A column of a table, or a file (without a column)."""

    table: str
    column: str = ""

    @property
    def label(self) -> str:
        """Return what it is called on pages."""
        try:
            field_ = _model_of(self.table)._meta.get_field(self.column)
        except (LookupError, FieldDoesNotExist):
            return f"{table_label(self.table)}: {self.column}"
        return f"{table_label(self.table)}: {getattr(field_, 'verbose_name', self.column)}"


def table_label(table: str) -> str:
    """Return what a table is called on pages."""
    try:
        return str(capfirst(_model_of(table)._meta.verbose_name_plural))
    except LookupError:
        return table


def _model_of(table: str) -> type[Model]:
    for model in apps.get_models():
        if model._meta.db_table == table:
            return model
    raise LookupError(table)


@dataclass(slots=True)
class Mentions:
    """Where words were found (rows, or 1 for a file), and where there was no time to look."""

    found: dict[Place, int] = field(default_factory=dict)
    unsearched: list[Place] = field(default_factory=list)


def find_mentions(values: Collection[str], *, seconds: float | None = None, bytes_too: bool = True) -> Mentions:
    """Search every column that can hold text, the small tables first; within a time, or to the end."""
    mentions = Mentions()
    if not values:
        return mentions
    ends = None if seconds is None else time.monotonic() + seconds
    for name, table, columns in _tables(bytes_too):
        left = None if ends is None else ends - time.monotonic()
        counts = _count(name, columns, values, left) if left is None or left > 0 else None
        for position, (column, _type) in enumerate(columns):
            if counts is None:
                mentions.unsearched.append(Place(table, column))
            elif counts[position]:
                mentions.found[Place(table, column)] = counts[position]
    return mentions


def _tables(bytes_too: bool) -> list[tuple[str, str, list[tuple[str, str]]]]:
    tables: dict[str, tuple[str, str, list[tuple[str, str]]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [])
        for name, table, column, kind in cursor.fetchall():
            if kind != "bytea" or bytes_too:
                tables.setdefault(name, (name, table, []))[2].append((column, kind))
    return list(tables.values())


def _count(
    name: str, columns: list[tuple[str, str]], values: Collection[str], seconds: float | None
) -> list[int] | None:
    """Return the rows that hold a value, by column; None when that takes too long."""
    filters: list[str] = []
    params: list[Any] = []
    for column, kind in columns:
        condition, more = _condition(column, kind, values)
        filters.append(f"count(*) FILTER (WHERE {condition})")
        params += more
    try:
        with transaction.atomic(), _statement_limit(seconds) as cursor:
            cursor.execute(f"SELECT {', '.join(filters)} FROM {name}", params)
            return list(cursor.fetchone())
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "57014":
            raise
        return None


@contextmanager
def _statement_limit(seconds: float | None) -> Iterator[CursorWrapper]:
    """Bound the statements inside, and put the limit back for those after them in the same transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        before = cursor.fetchone()[0]
        limit = 0 if seconds is None else max(1, round(seconds * 1000))
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{limit}ms"])
        yield cursor
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


def _condition(column: str, kind: str, values: Collection[str]) -> tuple[str, list[str]]:
    """Return a condition: a value stands there as a whole word, in any letter case. A plain search comes first."""
    text = f'"{column}"::text'
    forms = [_form(value.lower()) for value in values]
    if kind == "bytea":
        text = f"encode(\"{column}\", 'escape')"
        # Bodies are JSON: what is not ASCII stands there as bytes or as an escape.
        forms = [form for value in values for form in _byte_forms(value.lower())]
    parts = [f"(strpos(lower({text}), %s) > 0 AND lower({text}) ~ %s)" for _form in forms]
    return " OR ".join(parts), [item for form in forms for item in form]


def _form(plain: str) -> tuple[str, str]:
    return plain, rf"(^|[^[:alnum:]@.+_-]){re.escape(plain)}($|[^[:alnum:]@_-])"


def _byte_forms(value: str) -> list[tuple[str, str]]:
    as_bytes = "".join(chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in value.encode())
    as_escapes = "".join(char if char.isascii() else f"\\\\u{ord(char):04x}" for char in value)
    return [(form, re.escape(form)) for form in dict.fromkeys((as_bytes, as_escapes))]


def files_with(values: Collection[str], folders: Iterable[Path] | None = None) -> list[Path]:
    """Return the files of the installation that hold a value: imports, captured mail, logs; not the database's own."""
    found = []
    for folder in folders if folders is not None else [settings.VAR_DIR]:
        for path in folder.rglob("*"):
            if path.is_file() and "postgres" not in path.relative_to(folder).parts[:1]:
                try:
                    with path.open("rb") as file:
                        if file_holds(file, values):
                            found.append(path)
                except OSError:
                    continue
    return sorted(found)


def file_holds(file: IO[bytes], values: Collection[str]) -> bool:
    """Tell whether one of the values stands in a file, whatever its letter case; a megabyte of it at a time."""
    forms = [value.lower().encode() for value in values]
    longest, rest = max(map(len, forms), default=0), b""
    while block := file.read(1 << 20):
        text = rest + block.lower()
        if any(form in text for form in forms):
            return True
        rest = text[-longest:]
    return False
