"""The stream, and the rejected messages behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cdp.common.models import AccessLog
from cdp.common.roles import ADMINISTRATOR, ANALYST, MARKETER
from profiles.models import InboxEntry, RejectedMessage, Source
from profiles.services.sources import create_source

pytestmark = pytest.mark.django_db
ClientAs = Callable[[str], Client]


def store(source: Source, endpoint: str, body: Any) -> int:
    """Store a body as the collector does; return its raw id."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_rawmessage (received_at, source_id, endpoint, body)"
            " VALUES (%s, %s, %s, %s) RETURNING id",
            [timezone.now(), source.pk, endpoint, content],
        )
        return int(cursor.fetchone()[0])


def names(answer: Any) -> list[str]:
    return [event.name for event in answer.context["events"]]


def test_the_newest_events_come_first_whatever_way_they_came(client_as: ClientAs) -> None:
    source, _key = create_source(name="Shop", kind="browser")
    store(
        source,
        "batch",
        {"batch": [{"type": "track", "event": "A", "userId": "u1"}, 7, {"type": "page", "anonymousId": "a"}]},
    )
    store(source, "track", {"event": "<b>B</b>", "userId": 5})
    store(source, "track", b"{broken")
    answer = client_as(MARKETER).get(reverse("profiles:live"))
    assert names(answer) == ["<b>B</b>", "Page Viewed", "", "A"]
    assert "<b>B</b>" not in answer.content.decode(), "what people send is never markup"


def test_the_stream_is_filtered_by_source_and_name(client_as: ClientAs) -> None:
    shop, _key = create_source(name="Shop", kind="browser")
    till, _key = create_source(name="Till", kind="server")
    store(shop, "track", {"event": "Product Viewed"})
    store(till, "track", {"event": "Order Completed"})
    client = client_as(MARKETER)
    assert names(client.get(reverse("profiles:live"), {"source": shop.pk})) == ["Product Viewed"]
    assert names(client.get(reverse("profiles:live"), {"name": "order"})) == ["Order Completed"]
    assert len(names(client.get(reverse("profiles:live"), {"source": "nonsense", "name": "\x00"}))) == 2


def test_a_pause_stops_the_asking(client_as: ClientAs) -> None:
    client = client_as(MARKETER)
    rows = client.get(reverse("profiles:live"), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in rows and 'hx-trigger="every 2s"' in rows
    paused = client.get(reverse("profiles:live"), {"paused": "1"}, headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" not in paused


def test_the_raw_event_is_shown_and_the_look_is_logged(client_as: ClientAs) -> None:
    source, _key = create_source(name="Shop", kind="browser")
    raw_id = store(source, "batch", {"batch": [{"type": "track", "event": "A"}, {"type": "track", "event": "Z"}]})
    client = client_as(MARKETER)
    event = client.get(reverse("profiles:live")).context["events"][0]
    url = reverse("profiles:live_raw", args=[raw_id, 1])
    assert "Z" in client.get(url, {"at": event.received_at.isoformat()}).context["text"]
    assert AccessLog.objects.filter(action="event.viewed", object_id=f"{raw_id}:1").count() == 1
    for at in ("", "nonsense", "2026-02-30T00:00:00Z", "2020-01-01T00:00:00+00:00"):
        assert client.get(url, {"at": at}).context["text"] == ""


def test_an_analyst_sees_no_stream(client_as: ClientAs) -> None:
    client = client_as(ANALYST)
    for name, arguments in (("live", []), ("live_raw", [1, 0]), ("rejected", []), ("rejected_detail", [1])):
        assert client.get(reverse(f"profiles:{name}", args=arguments)).status_code == 403


def rejected(source: Source) -> RejectedMessage:
    return RejectedMessage.objects.create(
        source=source,
        received_at=timezone.now(),
        raw_id=1,
        code="no_user_anon_id",
        payload={"type": "track", "event": "A"},
    )


def test_a_rejected_message_is_mended_and_sent_through_again(client_as: ClientAs) -> None:
    source, _key = create_source(name="Shop", kind="browser")
    message = rejected(source)
    client = client_as(MARKETER)
    assert "Nobody is named: no userId and no anonymousId" in client.get(reverse("profiles:rejected")).content.decode()
    url = reverse("profiles:rejected_detail", args=[message.pk])
    assert "A message needs a userId" in client.get(url).content.decode()
    wrong = client.post(url, {"payload": "{"})
    assert wrong.status_code == 400 and "line 1" in wrong.content.decode()
    assert client.post(url, {"payload": '{"type":"track","event":"A","userId":"u1"}'}).status_code == 302
    assert InboxEntry.objects.count() == 1
    assert client.get(reverse("profiles:rejected")).context["rows"] == []


def test_a_rejected_message_is_put_aside(client_as: ClientAs) -> None:
    source, _key = create_source(name="Shop", kind="browser")
    message = rejected(source)
    url = reverse("profiles:rejected_discard", args=[message.pk])
    client = client_as(ADMINISTRATOR)
    client.post(url)
    client.post(url)
    message.refresh_from_db()
    assert message.resolution == "discarded"
    assert client.get(reverse("profiles:rejected_detail", args=[10**30])).status_code == 404
