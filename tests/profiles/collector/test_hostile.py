"""Hostile bodies at the collector (A1 to A18 of the reliability table): never a 500, never a lost neighbour."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cdp.common.request_bodies import Patience
from tests.profiles.collector.endpoint import (
    EVENT,
    at_the_door,
    browser_source,
    inbox_ids,
    post,
    server_source,
    stored,
)

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = json.dumps(EVENT)
ODD_IDS: tuple[Any, ...] = (None, "", "  ", "x" * 10_000, {})


def batch(*events: str) -> bytes:
    return ('{"batch":[' + ",".join(events) + "]}").encode("utf-8", "surrogatepass")


#: name -> body. One event is odd; the request is taken whole, and the processor judges each event by itself.
TAKEN = {
    "A1 NUL in a value": batch(GOOD, '{"type":"track","event":"x\\u0000y","userId":"u"}', GOOD),
    "A1 NUL in a key": batch(GOOD, '{"type":"track","event":"x","userId":"u","properties":{"a\\u0000":1}}'),
    "A2 lone surrogate": batch('{"type":"track","event":"\\ud800","userId":"u"}', GOOD),
    "A4 infinite number": batch(GOOD, '{"type":"track","event":"x","userId":"u","properties":{"n":1e999}}'),
    "A5 4,000 digits": batch(
        GOOD,
        '{"type":"track","event":"x","userId":"u","properties":{"n":' + "9" * 4000 + "}}",
    ),
    "A5 5,000 digits": batch(
        GOOD,
        '{"type":"track","event":"x","userId":"u","properties":{"n":' + "9" * 5000 + "}}",
    ),
    "A6 thirteen levels": batch(GOOD, '{"a":' * 13 + "1" + "}" * 13),
    "A7 an event of 33 KB": batch(GOOD, json.dumps({**EVENT, "properties": {"text": "x" * 33_000}})),
    "A10 a key twice": batch('{"type":"track","event":"a","event":"b","userId":"u"}'),
    "A11 a byte order mark": b"\xef\xbb\xbf" + batch(GOOD),
    "A12 odd message ids": batch(*(json.dumps({**EVENT, "messageId": odd}) for odd in ODD_IDS)),
    "A15 odd times": batch(
        *(
            json.dumps({**EVENT, "timestamp": odd})
            for odd in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", -1, 0)
        )
    ),
    "events that are none": batch(GOOD, "7", "null", '"text"', "[]"),
    "an empty batch": batch(),
}
#: name -> (body, code). The body cannot be read as a whole, or is too much; nothing of it is stored.
REFUSED = {
    "A3 NaN": (b'{"batch":[{"n":NaN}]}', "invalid_json"),
    "A3 Infinity": (b'{"batch":[{"n":Infinity}]}', "invalid_json"),
    "A6 5,000 levels": (
        b'{"batch":[' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"]}",
        "too_deep",
    ),
    "A7 a body over 4 MB": (batch(*[GOOD] * 2500) + b" " * 4_194_304, "body_too_large"),
    "A7 2,501 events": (batch(*["{}"] * 2501), "too_many_events"),
    "A11 UTF-16": ('{"batch":[]}'.encode("utf-16"), "invalid_utf8"),
    "A11 Latin-1": ('{"batch":["é"]}'.encode("latin-1"), "invalid_utf8"),
    "half a body": (b'{"batch":[{"type":"tra', "invalid_json"),
    "no body": (b"", "empty_body"),
    "not an object": (b"[1,2]", "invalid_shape"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_an_odd_event_does_not_cost_its_neighbours(name: str) -> None:
    _source, key = server_source()
    answer = post("/v1/batch", TAKEN[name], key)
    assert (answer.status_code, answer.text) == (200, '{"success":true}')
    assert bytes(stored()[0].body) == TAKEN[name].removeprefix(b"\xef\xbb\xbf")
    assert len(inbox_ids()) == 1


@pytest.mark.parametrize("name", REFUSED)
def test_an_unreadable_body_is_refused_in_words(name: str) -> None:
    _source, key = server_source()
    body, code = REFUSED[name]
    answer = post("/v1/batch", body, key)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert len(answer.json()["message"]) > 10
    assert not stored()


def test_a_bomb_is_refused_and_the_next_request_is_served() -> None:  # A8
    _source, key = server_source()
    bomb = gzip.compress(bytes(1_000_000_000), 1)

    async def visit(client: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response]:
        refused = await client.post(
            "/v1/batch",
            content=bomb,
            headers={"content-encoding": "gzip"},
            auth=(key, ""),
        )
        return refused, await client.post("/v1/track", json=EVENT, auth=(key, ""))

    refused, served = at_the_door(visit)
    assert (refused.status_code, refused.json()["code"]) == (400, "body_too_large")
    assert served.status_code == 200


def test_a_body_that_never_ends_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # A9
    monkeypatch.setattr("profiles.collector.intake.PATIENCE", Patience(total=0.2))
    _source, key = server_source()
    statuses: list[int] = []

    def slow(collector):  # type: ignore[no-untyped-def]  # an ASGI wrapper for this test
        async def app(scope, receive, send):  # type: ignore[no-untyped-def]
            first = True

            async def drip():  # type: ignore[no-untyped-def]
                nonlocal first
                if first:
                    first = False
                    return {"type": "http.request", "body": b"{", "more_body": True}
                await asyncio.sleep(30)

            async def note(message):  # type: ignore[no-untyped-def]
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                await send(message)

            await collector(scope, drip, note)

        return app

    async def knock_slowly(client: httpx.AsyncClient) -> None:
        await client.post("/v1/track", content=b"{", auth=(key, ""))

    at_the_door(knock_slowly, app=slow)
    assert statuses == [408]


def test_a_body_in_many_pieces_is_put_together() -> None:
    _source, key = server_source()

    async def pieces() -> AsyncIterator[bytes]:
        for letter in GOOD:
            yield letter.encode()

    async def visit(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/v1/track", content=pieces(), auth=(key, ""))

    assert at_the_door(visit).status_code == 200
    assert bytes(stored()[0].body) == GOOD.encode()


def test_many_at_once_are_each_stored() -> None:
    _source, key = browser_source()

    async def visit(client: httpx.AsyncClient) -> list[int]:
        async def one(number: int) -> int:
            body = {**EVENT, "messageId": f"m{number}", "writeKey": key}
            return (await client.post("/v1/t", json=body)).status_code

        return list(await asyncio.gather(*(one(number) for number in range(500))))

    assert set(at_the_door(visit)) == {200}
    rows = stored()
    assert {json.loads(bytes(row.body))["messageId"] for row in rows} == {f"m{number}" for number in range(500)}
    assert sorted(row.id for row in rows) == inbox_ids()
