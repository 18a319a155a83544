"""The group commit: who waits together shares one commit, and a failure reaches everybody who waits."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from cdp.asgi import collector_dsn
from profiles.collector.group import Accepted
from profiles.collector.writer import MAX_GROUP_ROWS, NotStored, Writer
from tests import asynchronous

pytestmark = pytest.mark.django_db(transaction=True)


def bodies(count: int, loop: asyncio.AbstractEventLoop) -> list[Accepted]:
    """Return `count` bodies that wait for a commit."""
    now = time.time()
    return [Accepted(now, 1, "track", None, "agent", b"{}", loop.create_future()) for _ in range(count)]


def write(count: int, dsn: str) -> tuple[list[object], Writer, list[int]]:
    """Hand over `count` bodies before the writer starts; return what each was told, the writer and its wakes."""
    wakes: list[int] = []

    async def run() -> tuple[list[object], Writer]:
        loop = asyncio.get_running_loop()
        writer = Writer(dsn, loop, lambda: wakes.append(1))
        items = bodies(count, loop)
        for item in items:
            writer.submit(item)
        writer.start()
        told = await asyncio.gather(*(item.done for item in items), return_exceptions=True)
        writer.stop()
        await asyncio.to_thread(writer.join, 10)
        return list(told), writer

    told, writer = asynchronous.run(run())
    return told, writer, wakes


def stored() -> tuple[int, int]:
    """Return how many bodies are in the inbox and by how many transactions they came."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT xmin::text) FROM profiles_inbox")
        row = cursor.fetchone()
    return int(row[0]), int(row[1])


def test_who_waits_together_shares_one_commit() -> None:
    told, writer, wakes = write(500, collector_dsn())
    assert told == [None] * 500
    assert stored() == (500, 1)
    assert (writer.groups, writer.rows, len(wakes)) == (1, 500, 1)


def test_a_group_has_an_end() -> None:
    told, _writer, _wakes = write(MAX_GROUP_ROWS + 1, collector_dsn())
    assert told == [None] * (MAX_GROUP_ROWS + 1)
    assert stored() == (MAX_GROUP_ROWS + 1, 2)


def test_a_day_without_a_partition_gets_one() -> None:
    today = datetime.now(UTC).date()
    with connection.cursor() as cursor:
        for step in range(-1, 2):  # the test may run at midnight
            cursor.execute(f"DROP TABLE profiles_rawmessage_d{today + timedelta(days=step):%Y%m%d}")
    told, _writer, _wakes = write(3, collector_dsn())
    assert told == [None] * 3
    assert stored() == (3, 1)


def test_without_a_database_everybody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiles.collector.writer.STORE_SECONDS", 0.3)
    told, _writer, wakes = write(3, "host=/nonexistent dbname=none")
    assert all(isinstance(answer, NotStored) for answer in told)
    assert not wakes
