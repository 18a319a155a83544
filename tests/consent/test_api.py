"""The REST API of consent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from consent.models import ConsentRecord, Purpose
from consent.services import add_text, suppress_address
from tests.consent.factories import person, purpose, say, state_of

pytestmark = pytest.mark.django_db
Token = Callable[[str], dict[str, str]]


def post(path: str, body: Any, headers: dict[str, str]) -> Any:
    """Send JSON."""
    return Client().post(path, body, content_type="application/json", headers=headers)


def test_record_is_made_and_found(api_token: Token) -> None:
    """With words; then listed by person, purpose and state."""
    anna, newsletter = person(), purpose()
    add_text(purpose_id=newsletter.pk, text="Yes", actor="test")
    headers = api_token("Privacy officer")
    body = {
        "profile_id": str(anna.uuid),
        "purpose_id": "newsletter",
        "state": "given",
        "method": "form",
        "text_version": 1,
    }
    made = post("/api/v1/consent-records/", {**body, "evidence": {"page_url": "https://shop.example/"}}, headers)
    assert (made.status_code, made.json()["text"]) == (201, "Yes")
    assert state_of(anna, newsletter) == "given"
    say(person(), newsletter, "given")
    found = Client().get(
        f"/api/v1/consent-records/?profile_id={anna.uuid}&purpose_id=newsletter&state=given", headers=headers
    )
    assert [row["id"] for row in found.json()["results"]] == [made.json()["id"]]
    permissions = Client().get(f"/api/v1/permissions/{anna.uuid}/", headers=headers).json()
    assert permissions[0] | {"reason_text": ""} == {
        "purpose_id": "newsletter",
        "channel": "email",
        "state": "given",
        "allowed": True,
        "reason": "",
        "reason_text": "",
        "record_id": made.json()["id"],
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose_id": "ghost"}, "consent.unknown_purpose"),
        ({"profile_id": "00000000-0000-4000-8000-000000000000"}, "unknown_person"),
        ({"text_version": 9}, "consent.no_such_version"),
        ({"occurred_at": "yesterday"}, "consent.bad_time"),
        ({"occurred_at": "2026-05-31T99:00:00Z"}, "consent.bad_time"),
        ({}, "consent.no_proof"),
        ({"method": "form"}, "consent.no_proof"),
    ],
)
def test_bad_bodies_are_refused_by_name(api_token: Token, changes: dict[str, Any], code: str) -> None:
    """Each with a stable code, nothing written."""
    anna = person()
    purpose()
    body = {"profile_id": str(anna.uuid), "purpose_id": "newsletter", "state": "given", **changes}
    response = post("/api/v1/consent-records/", body, api_token("Privacy officer"))
    assert response.status_code in (400, 404)
    assert response.json()["code"] == code
    assert ConsentRecord.objects.count() == 0


def test_ledger_has_no_way_to_change_or_delete(api_token: Token) -> None:
    """405 for every other method."""
    record = say(person(), purpose(), "withdrawn")
    headers = api_token("Administrator")
    for method in ("put", "patch", "delete"):
        call = getattr(Client(), method)
        answer = call(f"/api/v1/consent-records/{record.uuid}/", {}, content_type="application/json", headers=headers)
        assert answer.status_code in (403, 405)
    assert ConsentRecord.objects.get().state == "withdrawn"


@pytest.mark.parametrize("path", ["/api/v1/consent-records/", "/api/v1/suppression/"])
def test_routes_are_for_their_roles(api_token: Token, path: str) -> None:
    """The marketer and analyst read no ledger; nobody without a token reads anything."""
    assert Client().get(path, headers=api_token("Marketer")).status_code == 403
    assert Client().get(path, headers=api_token("Analyst")).status_code == 403
    assert Client().get(path).status_code == 401


def test_purposes_are_defined_worded_and_changed(api_token: Token) -> None:
    """The same services as the pages."""
    headers = api_token("Privacy officer")
    made = post("/api/v1/purposes/", {"name": "Weekly letter", "channels": ["email", "sms"]}, headers)
    assert (made.status_code, made.json()["id"]) == (201, "weekly-letter")
    assert post("/api/v1/purposes/", {"name": "Weekly letter"}, headers).json()["code"] == "consent.name_taken"
    assert post("/api/v1/purposes/weekly-letter/texts/", {"text": "Yes", "language": "en"}, headers).status_code == 201
    changed = Client().patch(
        "/api/v1/purposes/weekly-letter/", {"active": False}, content_type="application/json", headers=headers
    )
    assert changed.status_code == 200
    assert Purpose.objects.get().active is False
    listed = Client().get("/api/v1/purposes/?search=weekly", headers=api_token("Marketer")).json()["results"]
    assert listed[0]["texts"][0]["version"] == 1
    assert post("/api/v1/purposes/", {"name": "x"}, api_token("Marketer")).status_code == 403


def test_suppression_is_checked_and_added(api_token: Token) -> None:
    """By POST, so that no address stands in a log."""
    headers = api_token("Privacy officer")
    address = {"kind": "email", "value": "gone@klantbeeld.example"}
    assert post("/api/v1/suppression/check/", address, headers).json()["suppressed"] is False
    assert post("/api/v1/suppression/", {**address, "reason": "bounce"}, headers).status_code == 201
    suppress_address(kind="email", value="gone@klantbeeld.example", reason="bounce", actor="test")
    answer = post("/api/v1/suppression/check/", address, headers).json()
    assert (answer["suppressed"], len(answer["entries"])) == (True, 1)
    assert Client().get("/api/v1/suppression/", headers=headers).json()["results"][0]["reason"] == "bounce"
