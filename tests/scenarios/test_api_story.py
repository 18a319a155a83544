"""An integration with a token does what people do on the pages; the OpenAPI document says how."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from drf_spectacular.validation import validate_schema

from campaigns.models import Message
from campaigns.services.single import allow_single_sends
from tests.scenarios.installation import Installation, eventually
from tests.scenarios.steps import find_person, make_purpose, say, sdk, taken

CITY = "Zwolle"
RULE = {"include": {"type": "trait", "key": "city", "operator": "is", "value": CITY}, "exclude": None}
MESSAGE = {
    "name": "By API",
    "subject": "News for {{ person.first_name | default: 'you' }}",
    "body": "Hi {{ person.first_name | default: 'you' }}",
    "from_name": "Fiets & Bos",
    "from_email": "hello@shop.example",
}


def test_a_campaign_from_segment_to_report(installation: Installation) -> None:
    names = ("gus", "han", "ivo")
    with sdk(installation, "Integration") as client:
        for name in names:
            traits = {"email": f"{name}@api.example", "first_name": name.title(), "city": CITY}
            client.identify(f"api-{name}", traits)
    with installation.api() as api:
        purpose = make_purpose(api, "Integration news")
        people = {name: find_person(api, f"{name}@api.example")["id"] for name in names}
        for name in ("gus", "han"):
            say(api, people[name], purpose, "given")
        segment = taken(api.post("segments/", json={"name": "In Zwolle", "rule": RULE}), 201)
        slug = segment["id"]
        eventually(lambda: taken(api.get(f"segments/{slug}/"))["member_count"] == 3, "three members")
        preview = taken(api.post("segments/preview/", json={"rule": RULE}))
        assert preview["count"] == 3, preview
        message = taken(api.post("messages/", json=MESSAGE), 201)
        plan = {
            "name": "API campaign",
            "segment_id": segment["id"],
            "purpose_id": taken(api.get(f"purposes/{purpose}/"))["id"],
            "message_id": message["id"],
        }
        campaign = taken(api.post("campaigns/", json=plan), 201)
        at = f"campaigns/{campaign['id']}/"
        schedule(api, at)
        eventually(lambda: taken(api.get(at))["status"] == "done", "the campaign is done")
        report = taken(api.get(at + "report/"))
        assert (report["audience"], report["sent"], report["skipped"], report["adds_up"]) == (3, 2, 1, True)
        assert report["reasons"][0]["reason"] == "no_consent"
        deliveries = taken(api.get("deliveries/", params={"campaign_id": campaign["id"]}))["results"]
        assert sorted(row["outcome"] for row in deliveries) == ["sent", "sent", "skipped"]
        records = taken(api.get("consent-records/", params={"profile_id": people["gus"]}))["results"]
        assert [row["id"] for row in records] == [
            row["consent_record_id"] for row in deliveries if row["consent_record_id"] in {r["id"] for r in records}
        ]
        assert taken(api.get(f"permissions/{people['ivo']}/"))
    got = {name: len(installation.mails_to(f"{name}@api.example")) for name in names}
    assert got == {"gus": 1, "han": 1, "ivo": 0}


def test_a_receipt_to_one_person(installation: Installation) -> None:
    with sdk(installation, "Checkout") as client:
        client.identify("api-kim", {"email": "kim@api.example", "first_name": "Kim"})
    with installation.api() as api:
        find_person(api, "kim@api.example")
        purpose = taken(
            api.post("purposes/", json={"name": "Orders", "basis": "contract", "is_marketing": False}),
            201,
        )
        note = {**MESSAGE, "name": "Order note", "body": "Hi {{ person.first_name }}, order {{ data.order_number }}"}
        message = taken(api.post("messages/", json=note), 201)
        wanted = {
            "profile_id": "user_id:api-kim",
            "message_id": message["id"],
            "purpose_id": purpose["id"],
            "data": {"order_number": "A-1042"},
            "idempotency_key": "order-1042",
        }
        assert api.post("sends/", json=wanted).json()["code"] == "send.not_allowed"
        allow_single_sends(message_id=Message.objects.get(uuid=message["id"]).pk, user=None)
        sent = taken(api.post("sends/", json=wanted), 202)
        at = f"sends/{sent['id']}/"
        eventually(lambda: taken(api.get(at))["outcome"] == "sent", "the receipt is sent")
        assert api.post("sends/", json=wanted).json()["id"] == sent["id"]
        assert taken(api.get(at))["basis"] == "contract"
    mails = installation.mails_to("kim@api.example")
    assert len(mails) == 1 and "A-1042" in str(mails[0])


def schedule(api: httpx.Client, at: str) -> None:
    """Send now, first confirming the number of people where that is asked; a time that has passed is refused."""
    past = datetime.now(ZoneInfo("Europe/Amsterdam")) - timedelta(minutes=5)
    wanted: dict[str, Any] = {"local_time": past.strftime("%Y-%m-%dT%H:%M"), "time_zone": "Europe/Amsterdam"}
    answer = api.post(at + "schedule/", json=wanted)
    if answer.json().get("code") == "campaign.confirmation_needed":
        wanted["confirm"] = 2
        answer = api.post(at + "schedule/", json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (400, "campaign.time_past"), answer.text
    now = {"confirm": 2} if "confirm" in wanted else {}
    assert taken(api.post(at + "schedule/", json=now))["status"] in ("scheduled", "sending", "done")


def test_the_schema_is_valid_and_holds_the_routes(installation: Installation) -> None:
    with installation.api() as api:
        schema = taken(api.get("schema/", headers={"Accept": "application/vnd.oai.openapi+json"}))
        page = api.get("docs/")
    validate_schema(schema)  # type: ignore[no-untyped-call]  # the library states no types here
    documented = {(method.upper(), path) for path, item in schema["paths"].items() for method in item}
    for route in (
        ("GET", "/api/v1/profiles/"),
        ("POST", "/api/v1/segments/"),
        ("POST", "/api/v1/segments/preview/"),
        ("POST", "/api/v1/messages/"),
        ("POST", "/api/v1/campaigns/"),
        ("POST", "/api/v1/campaigns/{id}/schedule/"),
        ("GET", "/api/v1/campaigns/{id}/report/"),
        ("GET", "/api/v1/consent-records/"),
        ("POST", "/api/v1/consent-records/"),
        ("POST", "/api/v1/imports/"),
    ):
        assert route in documented, f"{route} is not in {sorted(documented)}"
    assert page.status_code == 200 and "swagger" in page.text.lower()


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic bm9ib2R5Og=="])
def test_without_a_token_nothing_is_told(installation: Installation, header: str) -> None:
    answer = httpx.get(
        installation.url + "/api/v1/profiles/", headers={"Authorization": header} if header else {}, trust_env=False
    )
    assert answer.status_code == 401
    assert set(answer.json()) >= {"code", "message"}
