"""Give a transactional test its database back as it was, from a copy.

Django empties every table after such a test. That would meet the triggers of append-only tables, and lose the rows that
migrations made (sources, identifier kinds, roles). Copying a small database takes PostgreSQL a fraction of a second.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, connections
from django.test import TransactionTestCase
from psycopg import sql

_copies: set[str] = set()


def keep_copy(_test: Any = None) -> None:
    """Copy the test database before the first test that commits."""
    name = str(connection.settings_dict["NAME"])
    if name not in _copies:
        _run(_drop(f"{name}_kept"), _create(f"{name}_kept", name))
        _copies.add(name)


def bring_back(_test: Any = None) -> None:
    """Replace the test database by the copy."""
    name = str(connection.settings_dict["NAME"])
    _run(_drop(name), _create(name, f"{name}_kept"))


def _drop(name: str) -> sql.Composed:
    return sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))


def _create(name: str, template: str) -> sql.Composed:
    # A file copy is several times faster than the default, which writes every page to the log.
    return sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
        sql.Identifier(name), sql.Identifier(template)
    )


def _run(*statements: sql.Composed) -> None:
    """Run statements from outside the test database, which nobody may use meanwhile."""
    name = str(connection.settings_dict["NAME"])
    assert name.startswith("test_"), f"{name} is no database of tests; it is left alone"
    connections.close_all()
    with connection._nodb_cursor() as cursor:  # what Django's own test runner uses
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [connection.settings_dict["NAME"]],
        )
        for statement in statements:
            cursor.execute(statement)


def install() -> None:
    """Make transactional tests use the copy instead of emptying tables."""
    vars_of: Any = TransactionTestCase  # these two are not in the stubs
    vars_of._fixture_setup = keep_copy
    vars_of._fixture_teardown = bring_back
