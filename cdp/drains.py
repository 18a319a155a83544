"""Keep one busy drain from taking every slot of a worker: the others, and the sign of life, must get their turn."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Task
from django.db import connection

#: task -> how many may run at once, over all workers. One that finds no place ends at once: those that run take its
#: rows too, and beat wakes it again within seconds. A task that is not named here is not limited,
#: or limits itself (sending).
PLACES = {
    "profiles.process_inbox": 2,
    "profiles.run_import": 2,
    "profiles.maintain_partitions": 1,
    "segments.process_touched": 1,
    "segments.sweep": 1,
    "consent.seal_ledger": 1,
    "campaigns.start_due": 1,
}


class DrainTask(Task[Any, Any]):
    """A task that runs only when one of its places is free."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run, or end at once."""
        places = PLACES.get(self.name, 0)
        if not places:
            return super().__call__(*args, **kwargs)
        with place(self.name, places) as free:
            return super().__call__(*args, **kwargs) if free else None


@contextmanager
def place(name: str, places: int) -> Iterator[bool]:
    """Hold one of `places` locks of this name in the database's session; give False when all are taken."""
    key = zlib.crc32(name.encode()) - 2**31
    taken = next((number for number in range(places) if _locks("pg_try_advisory_lock", key, number)), None)
    try:
        yield taken is not None
    finally:
        if taken is not None and connection.connection is not None and not connection.connection.closed:
            _locks("pg_advisory_unlock", key, taken)


def _locks(function: str, key: int, number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [key, number])
        row = cursor.fetchone()
    return bool(row and row[0])
