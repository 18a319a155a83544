"""One moment of the database for a read of many transactions: rows, and all that is looked up beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
from django.db import connection, transaction


@dataclass(frozen=True)
class Snapshot:
    """The name of an exported snapshot, and its moment."""

    name: str
    at: datetime

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Open a transaction that sees the database as it was then."""
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("SET TRANSACTION SNAPSHOT %s", [self.name])
            yield


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """Hold a snapshot, on a connection of its own: progress is committed meanwhile on the usual one."""
    parameters = connection.get_connection_params() | {"cursor_factory": psycopg.ClientCursor}
    with psycopg.connect(**parameters, autocommit=True) as holder:
        holder.execute("SET idle_in_transaction_session_timeout = 0")
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = holder.execute("SELECT pg_export_snapshot(), now()").fetchone()
        assert row is not None
        yield Snapshot(row[0], row[1])
        holder.execute("ROLLBACK")
