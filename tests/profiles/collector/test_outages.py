"""What a sender is told while the database is away, locked or gone without a word; and that it comes back (F18)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from cdp.asgi import collector_dsn
from profiles.collector import writer as writing
from profiles.collector.app import Collector
from profiles.collector.group import Accepted
from profiles.collector.writer import STORE_SECONDS, Writer
from tests.profiles.collector.endpoint import EVENT, at_the_door, configuration, inbox_ids, server_source
from tests.profiles.collector.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Stand between the collector and PostgreSQL."""
    one = Proxy(collector_dsn())
    yield one
    one.close()


async def send(client: httpx.AsyncClient, key: str, number: int = 1) -> httpx.Response:
    """Post one event."""
    event = {**EVENT, "messageId": f"m{number}"}
    return await client.post("/v1/track", json=event, auth=(key, ""), timeout=30)


def test_the_first_request_after_lost_connections_is_stored(proxy: Proxy) -> None:
    _source, key = server_source()

    async def visit(client: httpx.AsyncClient) -> list[int]:
        codes = []
        for number in range(4):
            codes.append((await send(client, key, number)).status_code)
            proxy.cut()
            await asyncio.sleep(0.1)
        return codes

    assert at_the_door(visit, config=configuration(dsn=proxy.dsn)) == [200] * 4
    assert len(inbox_ids()) == 4


def test_a_black_hole_is_answered_in_time_and_left_again(proxy: Proxy) -> None:
    _source, key = server_source()

    async def visit(client: httpx.AsyncClient) -> list[httpx.Response]:
        first = await send(client, key, 1)
        proxy.swallow()
        began = time.monotonic()
        lost = await asyncio.gather(*(send(client, key, 10 + number) for number in range(5)))
        waited = time.monotonic() - began
        assert waited < STORE_SECONDS * 2, "nobody waits for the network"
        early = await send(client, key, 20)
        proxy.resume()
        for _attempt in range(40):
            again = await send(client, key, 30)
            if again.status_code == 200:
                break
            await asyncio.sleep(0.25)
        return [first, *lost, early, again]

    first, *lost, early, again = at_the_door(visit, config=configuration(dsn=proxy.dsn))
    assert first.status_code == again.status_code == 200
    assert {answer.status_code for answer in [*lost, early]} == {503}
    assert all(answer.headers["retry-after"] for answer in [*lost, early])


def test_behind_a_lock_newcomers_are_refused_at_once_and_stored_when_it_is_gone() -> None:
    _source, key = server_source()
    locked, free = threading.Event(), threading.Event()

    def hold() -> None:
        with psycopg.connect(collector_dsn()) as connection:
            connection.execute("LOCK TABLE profiles_inbox IN ACCESS EXCLUSIVE MODE")
            locked.set()
            free.wait(60)

    holder = threading.Thread(target=hold)

    async def visit(client: httpx.AsyncClient) -> tuple[list[str], httpx.Response]:
        assert (await send(client, key, 1)).status_code == 200
        holder.start()
        locked.wait()
        order: list[str] = []

        async def note(name: str, wait: float) -> None:
            await asyncio.sleep(wait)
            answer = await send(client, key, 2 + len(name))
            assert answer.status_code == 503 and answer.headers["retry-after"]
            order.append(name)

        await asyncio.gather(note("first", 0), note("second, late", writing.EARLY_SECONDS + 1))
        free.set()
        holder.join()
        for _attempt in range(40):
            again = await send(client, key, 99)
            if again.status_code == 200:
                break
            await asyncio.sleep(0.25)
        return order, again

    try:
        order, again = at_the_door(visit)
    finally:
        free.set()
    assert order == ["second, late", "first"], "who comes while nothing can be stored does not wait for it"
    assert again.status_code == 200


def test_one_body_that_cannot_be_stored_fails_alone() -> None:
    _source, key = server_source()

    async def visit(client: httpx.AsyncClient) -> list[int]:
        # PostgreSQL takes no NUL in a text. A web server lets none through, but nobody should rely on it.
        sent = [
            client.post("/v1/track", json={**EVENT, "messageId": f"m{number}"}, auth=(key, ""), headers=headers)
            for number in range(12)
            for headers in [{"user-agent": "bad\0agent"} if number == 5 else {}]
        ]
        return [answer.status_code for answer in await asyncio.gather(*sent)]

    assert sorted(at_the_door(visit)) == [200] * 11 + [503]
    assert len(inbox_ids()) == 11


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writing_thread_that_dies_is_replaced_and_loses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    _source, key = server_source()
    collectors: list[Collector] = []
    real = Writer._store
    died: list[list[Accepted]] = []

    def die_once(self: Writer, group: list[Accepted]) -> None:
        if not died:
            died.append(group)
            raise SystemExit  # ends the thread without a word
        real(self, group)

    monkeypatch.setattr(Writer, "_store", die_once)

    def remember(collector: Collector) -> Any:
        collectors.append(collector)
        return collector

    async def visit(client: httpx.AsyncClient) -> list[int]:
        answers = await asyncio.gather(*(send(client, key, number) for number in range(5)))
        assert collectors[0].alive
        return [answer.status_code for answer in answers]

    assert at_the_door(visit, app=remember) == [200] * 5
    assert died and len(inbox_ids()) == 5
