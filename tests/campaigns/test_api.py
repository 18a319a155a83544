"""The REST API does what the pages do, and refuses in the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from campaigns.models import Delivery
from campaigns.sending.starting import start_due_campaigns
from tests.campaigns.factories import BODY, message, readers, segment
from tests.consent.factories import purpose

pytestmark = pytest.mark.django_db
Token = Callable[..., dict[str, str]]
LETTER = {"name": "News", "subject": "News", "body": BODY, "from_name": "Shop", "from_email": "hello@shop.example"}


def post(client: Client, path: str, headers: dict[str, str], body: Any = None) -> Any:
    """Send JSON."""
    return client.post(f"/api/v1/{path}", data=body or {}, content_type="application/json", headers=headers)


def test_a_campaign_goes_from_message_to_report(client: Client, api_token: Token) -> None:
    headers = api_token("Marketer")
    news = purpose()
    people = segment(*readers(2, news))
    letter = post(client, "messages/", headers, LETTER)
    assert letter.status_code == 201 and letter.json()["version"] == 1
    body = {"name": "Sale", "purpose_id": news.slug, "segment_id": people.slug, "message_id": letter.json()["id"]}
    made = post(client, "campaigns/", headers, body)
    assert made.status_code == 201 and made.json()["status"] == "draft"
    key = made.json()["id"]
    assert post(client, f"campaigns/{key}/schedule/", headers).json()["status"] == "scheduled"
    start_due_campaigns()
    report = client.get(f"/api/v1/campaigns/{key}/report/", headers=headers).json()
    assert report["audience"] == 2 and report["pending"] == 2 and report["adds_up"] is True
    rows = client.get(f"/api/v1/deliveries/?campaign_id={key}&outcome=pending", headers=headers).json()["results"]
    assert len(rows) == 2 and rows[0]["explanation"] and "context" not in rows[0]
    assert post(client, f"campaigns/{key}/cancel/", headers).json()["status"] == "cancelled"
    assert {row.outcome for row in Delivery.objects.all()} == {"cancelled"}


def test_a_template_error_names_the_place(client: Client, api_token: Token) -> None:
    answer = post(client, "messages/", api_token("Marketer"), {**LETTER, "body": "a\nb\n{% if person.x %}"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "message.template_invalid" and answer.json()["place"] == "body, line 3"


def test_a_draft_that_lacks_its_parts_says_which(client: Client, api_token: Token) -> None:
    headers = api_token("Marketer")
    made = post(client, "campaigns/", headers, {"name": "Empty"})
    answer = post(client, f"campaigns/{made.json()['id']}/schedule/", headers)
    assert answer.status_code == 400 and answer.json()["code"] == "campaign.not_ready"
    assert {"segment_missing", "purpose_missing", "message_missing"} <= set(answer.json()["detail"]["checks"])


def test_unknown_fields_and_odd_values_are_refused(client: Client, api_token: Token) -> None:
    headers = api_token("Marketer")
    assert post(client, "messages/", headers, {**LETTER, "status": "sent"}).status_code == 400
    assert post(client, "campaigns/", headers, {"name": "x", "segment_id": 2**70}).status_code == 400
    assert post(client, "campaigns/", headers, {"name": "x", "purpose_id": "999999"}).status_code == 400
    assert client.get("/api/v1/deliveries/?campaign_id=zzz&outcome=nope", headers=headers).status_code == 400
    assert client.get("/api/v1/campaigns/?status=nope", headers=headers).status_code == 400


def test_an_analyst_reads_and_changes_nothing(client: Client, api_token: Token) -> None:
    headers = api_token("Analyst")
    row = message()
    assert client.get("/api/v1/messages/", headers=headers).status_code == 200
    assert client.get("/api/v1/deliveries/", headers=headers).status_code == 200
    assert post(client, "messages/", headers, LETTER).status_code == 403
    assert client.delete(f"/api/v1/messages/{row.uuid}/", headers=headers).status_code == 403
    assert client.get("/api/v1/campaigns/").status_code == 401
