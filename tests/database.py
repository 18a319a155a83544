"""Give a test that commits its database back as it was.

Django empties every table after such a test. That would meet the triggers of append-only tables, and lose the rows that
migrations made (sources, identifier kinds, roles). So what the migrations left is remembered, and afterwards only what
differs is put back: some hundredths of a second where a copy of the database takes seconds.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection, connections
from django.test import TransactionTestCase

#: tables larger than this are truncated: emptied row by row they would stay large for the tests that follow
LARGE_BYTES = 1_000_000
QUIET_SECONDS = 10.0

_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_TABLES = f"""
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND {_OURS}
"""
_LOOSE_TABLES = f"{_TABLES} AND NOT c.relispartition"
#: whatever DDL changes, it changes one of these lines
_SCHEMA = f"""
SELECT concat_ws(' ', n.nspname, c.relname, c.relkind, c.reloptions::text, c.relpersistence, i.inhparent::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND NOT i.inhdetachpending WHERE {_OURS}
UNION ALL
SELECT concat_ws(' ', c.relname, a.attnum, a.attname, a.atttypid, a.attnotnull, a.atthasdef)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND a.attnum > 0 AND c.relkind IN ('r', 'p')
UNION ALL
SELECT concat_ws(' ', t.tgrelid::regclass, t.tgname, t.tgenabled) FROM pg_trigger t WHERE NOT t.tgisinternal
UNION ALL
SELECT concat_ws(' ', r.conrelid::regclass, r.conname)
FROM pg_constraint r JOIN pg_namespace n ON n.oid = r.connamespace WHERE {_OURS}
UNION ALL
SELECT concat_ws(' ', n.nspname, p.proname, md5(p.prosrc)) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {_OURS}
UNION ALL
SELECT concat_ws(' ', 'setting', setdatabase, setrole, setconfig::text) FROM pg_db_role_setting
"""
_SCHEMAS = f"SELECT n.nspname FROM pg_namespace n WHERE {_OURS}"
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences"
_PARTITION = re.compile(r"^public\.(profiles_\w+)_(?:d(\d{8})|y(\d{4})m(\d{2}))$")


@dataclass(frozen=True)
class Kept:
    """A database as the migrations left it."""

    schemas: set[str]
    tables: tuple[str, ...]
    lines: set[str]
    rows: dict[str, list[bytes]]  # of the tables that are not empty, as COPY writes them, sorted
    sequences: dict[str, int | None]


_kept: dict[str, Kept] = {}


def keep_copy(_test: Any = None) -> None:
    """Remember the test database before the first test that commits."""
    name = str(connection.settings_dict["NAME"])
    if name not in _kept:
        with connection.cursor() as cursor:
            tables = tuple(_column(cursor, _TABLES))
            _kept[name] = Kept(
                set(_column(cursor, _SCHEMAS)),
                tables,
                set(_column(cursor, _SCHEMA)),
                {table: _rows(cursor, table) for table in _filled(cursor, tables)},
                _sequences(cursor),
            )


def bring_back(_test: Any = None) -> None:
    """Make the test database what it was."""
    name = str(connection.settings_dict["NAME"])
    connections.close_all()
    _end_sessions(name)
    kept = _kept[name]
    with connection.cursor() as cursor:
        same = _put_schema_back(cursor, kept)
        if same:
            _put_rows_back(cursor, kept)
    connections.close_all()
    if not same:
        connection.settings_dict["NAME"] = name.removeprefix("test_")  # it is put before the name again
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)


def _put_schema_back(cursor: Any, kept: Kept) -> bool:
    """Undo what tests do to a schema (a partition more or less, the broker's tables); tell whether that was all."""
    if set(_column(cursor, _SCHEMA)) == kept.lines:
        return True
    for schema in set(_column(cursor, _SCHEMAS)) - kept.schemas:
        cursor.execute(f"DROP SCHEMA {schema} CASCADE")
    loose = {table for table in _column(cursor, _LOOSE_TABLES) if _PARTITION.match(table)}
    found = set(_column(cursor, _TABLES)) - loose
    for table in loose | found - set(kept.tables):
        cursor.execute(f"DROP TABLE {table}")
    for table in set(kept.tables) - found:
        if match := _PARTITION.match(table):
            low = date.fromisoformat(match[2] or f"{match[3]}{match[4]}01")
            high = low + timedelta(days=1) if match[2] else (low + timedelta(days=31)).replace(day=1)
            cursor.execute("SELECT profiles_make_partition(%s, %s, %s, %s)", [match[1], table[7:], low, high])
    return set(_column(cursor, _SCHEMA)) == kept.lines


def _put_rows_back(cursor: Any, kept: Kept) -> None:
    """Empty what was empty, and fill what differs with what it held."""
    cursor.execute("SET session_replication_role = replica")  # no triggers: append-only tables are emptied too
    filled = _filled(cursor, kept.tables)
    same = {table for table in filled & kept.rows.keys() if _rows(cursor, table) == kept.rows[table]}
    truncated = _empty(cursor, sorted(filled - same))
    for table in kept.rows.keys() - same | truncated & kept.rows.keys():
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            copy.write(b"".join(kept.rows[table]))
    now = _sequences(cursor)
    for sequence, value in kept.sequences.items():
        if now[sequence] != value:
            cursor.execute("SELECT setval(%s, %s, %s)", [sequence, value or 1, value is not None])


def _empty(cursor: Any, tables: list[str]) -> set[str]:
    """Delete all rows; truncate what is large or was analysed, so that no plan of another test rests on it.

    Return every table that a truncation emptied, also by a foreign key.
    """
    cursor.execute(
        "SELECT name FROM unnest(%s::text[]) AS name JOIN pg_class c ON c.oid = name::regclass"
        " WHERE c.reltuples > 0 OR pg_relation_size(c.oid) > %s",
        [tables, LARGE_BYTES],
    )
    truncated = {row[0] for row in cursor.fetchall()}
    for table in tables:
        if table not in truncated:
            cursor.execute(f"DELETE FROM {table}")
    if truncated:
        before = _filled(cursor, tuple(_column(cursor, _TABLES)))
        cursor.execute(f"TRUNCATE {', '.join(sorted(truncated))} CASCADE")
        return before - _filled(cursor, tuple(sorted(before)))
    return truncated


def _column(cursor: Any, query: str) -> list[str]:
    cursor.execute(query)
    return [row[0] for row in cursor.fetchall()]


def _filled(cursor: Any, tables: tuple[str, ...]) -> set[str]:
    if not tables:
        return set()
    parts = (f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables)
    return set(_column(cursor, " UNION ALL ".join(parts)))


def _rows(cursor: Any, table: str) -> list[bytes]:
    with cursor.copy(f"COPY {table} TO STDOUT") as copy:
        return sorted(b"".join(bytes(part) for part in copy).splitlines(keepends=True))


def _sequences(cursor: Any) -> dict[str, int | None]:
    cursor.execute(_SEQUENCES)
    return dict(cursor.fetchall())


def _end_sessions(name: str) -> None:
    """End whoever else uses the database, and wait until they are gone: one may be about to commit."""
    assert name.startswith("test_"), f"{name} is no database of tests; it is left alone"
    end = time.monotonic() + QUIET_SECONDS
    with connection._nodb_cursor() as cursor:  # what Django's own test runner uses
        while time.monotonic() < end:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND backend_type = 'client backend'",
                [name],
            )
            if not cursor.fetchall():
                return
            time.sleep(0.01)
    raise AssertionError(f"somebody keeps using {name}")


def install() -> None:
    """Make transactional tests put back what differs instead of emptying tables."""
    vars_of: Any = TransactionTestCase  # these two are not in the stubs
    vars_of._fixture_setup = keep_copy
    vars_of._fixture_teardown = bring_back
