"""From the collector to the people: what came in once counts once, and every message is accounted for."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from django.urls import reverse

from cdp.common.roles import MARKETER
from profiles.models import Interaction, RejectedMessage, SourceCounter
from profiles.processing.drain import drain_inbox
from profiles.services.rejected import replay_rejected
from tests.profiles.collector.endpoint import EVENT, at_the_door, browser_source, post, server_source

pytestmark = pytest.mark.django_db(transaction=True)


def process() -> None:
    """Do the worker's work until nothing waits."""
    while drain_inbox():
        pass


def counts() -> tuple[int, int, int, int]:
    rows = SourceCounter.objects.all()
    return (
        sum(row.received for row in rows),
        sum(row.stored for row in rows),
        sum(row.duplicate for row in rows),
        sum(row.rejected for row in rows),
    )


def test_a_message_id_sent_ten_thousand_times_at_once_counts_once() -> None:  # A13
    _source, key = browser_source()

    async def visit(client: httpx.AsyncClient) -> set[int]:
        async def one() -> int:
            return (await client.post("/v1/batch", json={"batch": [EVENT] * 100}, auth=(key, ""))).status_code

        return set(await asyncio.gather(*(one() for _ in range(100))))

    assert at_the_door(visit) == {200}
    process()
    assert Interaction.objects.count() == 1
    assert counts() == (10_000, 1, 9_999, 0)


def test_the_same_id_from_another_source_is_another_message() -> None:
    for _source, key in (browser_source(), server_source()):
        assert post("/v1/track", EVENT, key).status_code == 200
    process()
    assert Interaction.objects.count() == 2


def test_of_odd_neighbours_each_is_stored_or_rejected_with_a_reason_and_a_mended_one_lands(client_as) -> None:  # type: ignore[no-untyped-def]
    _source, key = server_source()
    deep = json.loads('{"a":' * 20 + "1" + "}" * 20)
    events = [
        EVENT,
        {"type": "track", "event": "No person", "messageId": "m2"},
        {
            "type": "track",
            "event": "Deep",
            "userId": "u1",
            "messageId": "m3",
            "properties": deep,
        },
        7,
        {**EVENT, "messageId": "m4", "event": "x\u0000y"},
        {**EVENT, "messageId": "m5", "properties": {"text": "x" * 40_000}},
        {**EVENT, "messageId": "m6"},
    ]
    assert post("/v1/batch", {"batch": events}, key).status_code == 200
    process()
    received, stored, duplicate, refused = counts()
    assert (received, duplicate) == (7, 0) and stored + refused == 7
    assert {"m1", "m6"} <= set(Interaction.objects.values_list("message_id", flat=True))
    assert RejectedMessage.objects.count() == refused >= 4
    assert all(row.code for row in RejectedMessage.objects.all())
    page = client_as(MARKETER).get(reverse("profiles:rejected"))
    assert len(page.context["rows"]) == refused

    nobody = RejectedMessage.objects.get(message_id="m2")
    replay_rejected(message_id=nobody.pk, text=json.dumps({**nobody.payload, "userId": "u2"}))
    process()
    assert Interaction.objects.filter(message_id="m2", name="No person").count() == 1
    received, stored, duplicate, refused = counts()
    assert received == stored + duplicate + refused == 8
