"""Kinds of identifier are set on a page, and what is set there has its effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from cdp.common.models import AccessLog
from cdp.common.roles import ADMINISTRATOR, MARKETER
from profiles.models import Identifier, IdentifierKind, RejectedMessage
from tests.profiles.factories import make_identifier, make_profile
from tests.profiles.processing.inbox import send, source, track

pytestmark = pytest.mark.django_db
ClientAs = Callable[[str], Client]
KIND = "user_id"


def save(client: Client, **fields: object) -> int:
    data = {"label": "Customer number", "limit": 1, "blocked_values": ""} | fields
    return client.post(reverse("profiles:kind", args=[KIND]), data).status_code


def test_a_blocked_value_makes_nobody_from_the_next_message_on(client_as: ClientAs) -> None:
    held = make_profile()
    make_identifier(held, KIND, "counter-1")
    client = client_as(ADMINISTRATOR)
    assert save(client, blocked_values="counter-1\r\n counter-2 \r\n", limit=3) == 302
    kind = IdentifierKind.objects.get(pk=KIND)
    assert (kind.label, kind.limit, kind.blocked_values) == ("Customer number", 3, ["counter-1", "counter-2"])
    send(source(), track("m1", userId="counter-2"), track("m2", userId="u7"))
    assert RejectedMessage.objects.get().code == "junk_identifier"
    assert set(Identifier.objects.filter(kind=KIND).values_list("value", flat=True)) == {"counter-1", "u7"}
    assert "1 person holds a blocked value" in client.get(reverse("profiles:kind", args=[KIND])).content.decode()
    noted = AccessLog.objects.get(action="kind.changed")
    assert noted.object_id == KIND and noted.detail["limit"] == [1, 3] and "counter-1" not in str(noted.detail)


@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 10**6}, {"label": " "}, {"blocked_values": "\x00"}])
def test_what_makes_no_sense_is_refused_and_changes_nothing(client_as: ClientAs, fields: dict[str, object]) -> None:
    before = IdentifierKind.objects.filter(pk=KIND).values().get()
    assert save(client_as(ADMINISTRATOR), **fields) == 422
    assert IdentifierKind.objects.filter(pk=KIND).values().get() == before


def test_a_marketer_reads_and_an_administrator_sets(client_as: ClientAs) -> None:
    client = client_as(MARKETER)
    assert "Kinds of identifier" in client.get(reverse("profiles:kinds")).content.decode()
    page = client.get(reverse("profiles:kind", args=[KIND])).content.decode()
    assert "Most per person" in page and "[object object]" in page and "{{userId}}" in page
    assert save(client, limit=9) == 403
    assert client.get(reverse("profiles:kind", args=["nothing"])).status_code == 404
