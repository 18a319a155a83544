"""The officer's pages: who may see them, what they show, that the log cannot be changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from cdp.common.models import AccessLog
from consent.models import ConsentRecord, ConsentText, Purpose, Suppression
from consent.services import add_text
from tests.consent.factories import person, purpose, say, state_of

pytestmark = pytest.mark.django_db
OFFICER, MARKETER, ANALYST = "Privacy officer", "Marketer", "Analyst"
AsRole = Callable[[str], Client]


@pytest.mark.parametrize(
    ("path", "roles"),
    [
        ("/privacy/", {OFFICER}),
        ("/privacy/log/", {OFFICER}),
        ("/privacy/purposes/", {OFFICER, MARKETER}),
        ("/privacy/purposes/new/", {OFFICER}),
        ("/privacy/suppression/", {OFFICER}),
        ("/privacy/suppression/add/", {OFFICER}),
    ],
)
def test_pages_are_for_their_roles(client_as: AsRole, path: str, roles: set[str]) -> None:
    """Each page with no rows at all, for each role, and for a visitor."""
    for role in (OFFICER, MARKETER, ANALYST):
        assert client_as(role).get(path).status_code == (200 if role in roles else 403)
    assert Client().get(path).status_code == 302


def test_log_finds_by_every_filter(client_as: AsRole) -> None:
    """Filters narrow; the row leads to the evidence with the exact words."""
    anna, bert, newsletter, offers = person(), person(), purpose(), purpose("offers")
    text = add_text(purpose_id=newsletter.pk, text="Yes, I want the Thursday letter", actor="test")
    given = say(anna, newsletter, "given", text=text, reference="delivery:1:2")
    say(bert, offers, "withdrawn", method="one_click")
    client = client_as(OFFICER)
    for query in (
        f"purpose={newsletter.slug}",
        "state=given",
        "method=form",
        f"text={text.pk}",
        f"q={anna.uuid}",
        "q=delivery:1:2",
    ):
        page = client.get(f"/privacy/log/?{query}&period=7&actor=subject&channel=email").content.decode()
        assert f"/privacy/log/{given.pk}/" in page
        assert page.count("/privacy/log/") - page.count("/privacy/log/?") >= 1
        assert bert.email not in page
    evidence = client.get(f"/privacy/log/{given.pk}/").content.decode()
    assert "Yes, I want the Thursday letter" in evidence
    assert "verified" in evidence
    assert "192.0.2.0" in evidence
    assert AccessLog.objects.filter(action="consent.evidence_viewed").exists()


@pytest.mark.parametrize("query", ["q=%00", "q=x", "purpose=x", "text=999999999999", "period=9x", "sort=hash"])
def test_odd_queries_are_answered(client_as: AsRole, query: str) -> None:
    """Nothing in an address makes an error page."""
    say(person(), purpose(), "given")
    assert client_as(OFFICER).get(f"/privacy/log/?{query}").status_code == 200


def test_longer_log_needs_no_more_statements(
    client_as: AsRole, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Fifty rows cost as many statements as one."""
    newsletter = purpose()
    for _number in range(20):
        say(person(), newsletter, "given")
    client = client_as(OFFICER)
    client.get("/privacy/log/")
    with django_assert_max_num_queries(16):
        client.get("/privacy/log/")


def test_log_cannot_be_changed_in_the_admin(admin_client: Client) -> None:
    """Not even a superuser finds a button, and a forged request is refused."""
    record = say(person(), purpose(), "withdrawn")
    base = "/admin/consent/consentrecord/"
    assert admin_client.get(base).status_code == 200
    assert admin_client.get(f"{base}{record.pk}/change/").status_code == 200
    assert admin_client.post(f"{base}{record.pk}/change/", {"state": "given"}).status_code == 403
    assert admin_client.post(f"{base}{record.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get(f"{base}add/").status_code == 403
    action = {"action": "delete_selected", "_selected_action": record.pk, "post": "yes"}
    admin_client.post(base, action)
    assert ConsentRecord.objects.get().state == "withdrawn"


def test_purpose_is_defined_worded_and_changed(client_as: AsRole) -> None:
    """New purpose, first words, second words with the difference shown, counts per version."""
    client = client_as(OFFICER)
    fields = {"name": "Weekly letter", "channels": ["email"], "basis": "consent", "is_marketing": "on", "active": "on"}
    assert client.post("/privacy/purposes/new/", {**fields, "channels": []}).status_code == 422
    assert client.post("/privacy/purposes/new/", fields).status_code == 302
    assert client.post("/privacy/purposes/new/", fields).status_code == 422  # the name is taken
    letter = Purpose.objects.get(slug="weekly-letter")
    words = "/privacy/purposes/weekly-letter/words/"
    client.post(words, {"text": "Send me the letter", "language": "en"})
    assert client.post(words, {"text": "", "language": "en"}).status_code == 422
    anna = person()
    say(anna, letter, "given", text=ConsentText.objects.get())
    client.post(words, {"text": "Send me the weekly letter", "language": "en"})
    page = client.get("/privacy/purposes/weekly-letter/").content.decode()
    assert "<ins>weekly</ins>" in page
    assert "1 person agreed to this" in page
    assert client.post("/privacy/purposes/weekly-letter/", {**fields, "basis": "contract"}).status_code == 422
    shown = client.post("/privacy/purposes/weekly-letter/", {**fields, "basis": "legitimate_interest"})
    assert client.post(shown.headers["Location"]).status_code == 302  # nobody comes in: no number to type
    assert Purpose.objects.get().basis == "legitimate_interest"
    assert client_as(MARKETER).post("/privacy/purposes/weekly-letter/", fields).status_code == 403


def test_suppression_is_looked_up_added_and_lifted(client_as: AsRole) -> None:
    """By address, of which only the digest is kept."""
    client, address = client_as(OFFICER), {"kind": "email", "value": "gone@klantbeeld.example"}
    assert "not on the list" in client.post("/privacy/suppression/look-up/", address).content.decode()
    assert client.post("/privacy/suppression/add/", {**address, "reason": "manual"}).status_code == 302
    assert "On the list" in client.post("/privacy/suppression/look-up/", address).content.decode()
    row = Suppression.objects.get()
    client.post(f"/privacy/suppression/{row.pk}/lift/", {"reason": ""})
    assert Suppression.objects.get().lifted_at is None
    client.post(f"/privacy/suppression/{row.pk}/lift/", {"reason": "mistyped"})
    assert Suppression.objects.get().lifted_at is not None
    assert client.post("/privacy/suppression/add/", {**address, "reason": "erasure"}).status_code == 422


def test_officer_records_what_was_said(client_as: AsRole) -> None:
    """A letter: withdrawal at once, permission only with a proof, objection to everything."""
    anna, newsletter = person(), purpose()
    client, page = client_as(OFFICER), f"/privacy/people/{anna.uuid}/record/"
    said = {"topic": f"{newsletter.pk}:email", "method": "mail"}
    assert client.get(f"{page}?state=withdrawn").status_code == 200
    assert client.post(page, {**said, "state": "given"}).status_code == 422
    client.post(page, {**said, "state": "given", "proof": "letter of 3 May: please mail me"})
    assert state_of(anna, newsletter) == "given"
    client.post(page, {**said, "state": "objected"})
    assert state_of(anna, newsletter) == "objected"
    assert ConsentRecord.objects.latest("id").actor == "user:privacy_officer"
    assert client_as(MARKETER).post(page, said).status_code == 403


def test_evidence_of_a_person_is_exported(client_as: AsRole) -> None:
    """One file with words, times and the chain; noted in the access log."""
    anna, newsletter = person(), purpose()
    say(anna, newsletter, "given")
    response = client_as(OFFICER).post(f"/privacy/people/{anna.uuid}/evidence/")
    assert response.json()["consents"][0]["evidence"]["page_url"] == "https://shop.example/news"
    assert AccessLog.objects.filter(action="consent.evidence_exported", object_id=str(anna.uuid)).exists()


def test_desk_shows_the_latest_no(client_as: AsRole) -> None:
    """With the record behind it."""
    anna, newsletter = person(), purpose()
    record = say(anna, newsletter, "withdrawn", method="one_click")
    client = client_as(OFFICER)
    assert f"/privacy/log/{record.pk}/" in client.get("/privacy/").content.decode()


def test_person_page_says_what_we_may_do(client_as: AsRole) -> None:
    """Allowed with the words they saw; the buttons only for those who may."""
    anna, newsletter = person(), purpose()
    text = add_text(purpose_id=newsletter.pk, text="Yes to the Thursday letter", actor="test")
    say(anna, newsletter, "given", text=text)
    officer = client_as(OFFICER).get(f"/people/{anna.uuid}/").content.decode()
    marketer = client_as(MARKETER).get(f"/people/{anna.uuid}/").content.decode()
    assert "Yes to the Thursday letter" in officer
    assert f"/privacy/people/{anna.uuid}/erase/" in officer
    assert "Yes to the Thursday letter" in marketer
    assert f"/privacy/people/{anna.uuid}/" not in marketer


def test_the_file_of_the_log_names_people_by_their_public_ids(client_as: AsRole) -> None:
    anna = person()
    say(anna, purpose(), "given")
    answer = client_as(OFFICER).get("/privacy/log/?export=csv")
    lines = b"".join(getattr(answer, "streaming_content", [])).decode("utf-8-sig").splitlines()
    assert lines[1].split(",")[2] == str(anna.uuid)
