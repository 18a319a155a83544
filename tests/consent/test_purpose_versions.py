"""A purpose's legal basis is versioned, logged, shown with its effect before it is saved, and part of the evidence."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from cdp.common.errors import CdpError
from cdp.common.models import AccessLog
from consent.effects import effect_of, people_affected, with_changes
from consent.export import export_lines
from consent.gate import check
from consent.models import ConsentRecord, Purpose, PurposeVersion
from consent.services import add_text, update_purpose, verify_ledger
from consent.verify import verify_lines
from profiles.models import Profile
from tests.consent.factories import person, purpose, say
from tests.consent.test_verify import tamper

pytestmark = pytest.mark.django_db
OFFICER, MARKETER = "Privacy officer", "Marketer"
AsRole = Callable[[str], Client]
Token = Callable[[str], dict[str, str]]
WIDER = {"basis": "legitimate_interest"}


@pytest.fixture
def crowd() -> tuple[Purpose, list[Profile]]:
    """A newsletter with two who said yes, one who withdrew, one who objected, and three who never said anything."""
    newsletter, people = purpose(), [person() for _number in range(7)]
    for number, state in enumerate(("given", "given", "withdrawn", "objected")):
        say(people[number], newsletter, state)
    return newsletter, people


def patch(headers: dict[str, str], body: dict[str, Any]) -> Any:
    """Change the newsletter over the API."""
    return Client().patch("/api/v1/purposes/newsletter/", body, content_type="application/json", headers=headers)


def reached(newsletter: Purpose, people: list[Profile]) -> int:
    """Return how many the gate lets through."""
    found = check(profile_ids=[row.pk for row in people], purpose_id=newsletter.pk, channel="email")
    return sum(decision.allowed for decision in found.values())


def test_widening_over_the_api_needs_its_number(crowd: tuple[Purpose, list[Profile]], api_token: Token) -> None:
    """Refused with the exact numbers and nothing changed; done when the number is named."""
    newsletter, people = crowd
    headers = api_token(OFFICER)
    refused = patch(headers, WIDER)
    assert (refused.status_code, refused.json()["code"]) == (409, "consent.widens")
    reach = {"before": 2, "after": 5, "gained": 3, "lost": 0}
    assert refused.json()["detail"] == {"gained": 3, "lost": 0, "channels": {"email": reach}}
    assert Purpose.objects.get().basis == "consent"
    assert patch(headers, {**WIDER, "confirm": 4}).status_code == 409
    assert patch(headers, {**WIDER, "confirm": 3}).status_code == 200
    assert reached(newsletter, people) == 5


def test_effect_is_shown_over_the_api_without_changing_anything(
    crowd: tuple[Purpose, list[Profile]], api_token: Token
) -> None:
    """The same question as a change, asked beforehand."""
    response = Client().post(
        "/api/v1/purposes/newsletter/effect/", WIDER, content_type="application/json", headers=api_token(OFFICER)
    )
    assert response.json()["gained"] == 3
    assert PurposeVersion.objects.count() == 1


def test_officer_sees_the_effect_and_types_the_number(crowd: tuple[Purpose, list[Profile]], client_as: AsRole) -> None:
    """Form, effect with a list of the people, typed number; only then it is saved."""
    newsletter, people = crowd
    client = client_as(OFFICER)
    fields = {"name": "Newsletter", "channels": ["email"], "is_marketing": "on", "active": "on", **WIDER}
    shown = client.post("/privacy/purposes/newsletter/", fields, follow=True)
    page = shown.content.decode()
    assert Purpose.objects.get().basis == "consent"
    assert "3 more people could be reached" in page
    address = shown.request["PATH_INFO"] + "?" + shown.request["QUERY_STRING"]
    listed = re.search(r'href="([^"]*people/[^"]*who=gained[^"]*)"', page)
    assert listed is not None
    people_page = client.get(listed[1].replace("&amp;", "&")).content.decode()
    assert [str(row.uuid) in people_page for row in people] == [False] * 4 + [True] * 3
    assert client.post(address, {"confirm": ""}).status_code == 409
    assert client.post(address, {"confirm": "2"}).status_code == 409
    assert client.post(address, {"confirm": "3"}).status_code == 302
    assert reached(newsletter, people) == 5
    assert client_as(MARKETER).get(address).status_code == 403


def test_change_that_decides_nothing_is_saved_at_once(client_as: AsRole) -> None:
    """A better name is a version too, and asks nothing."""
    purpose()
    fields = {"name": "Weekly letter", "channels": ["email"], "is_marketing": "on", "active": "on", "basis": "consent"}
    assert client_as(OFFICER).post("/privacy/purposes/newsletter/", fields).status_code == 302
    assert (Purpose.objects.get().name, PurposeVersion.objects.count()) == ("Weekly letter", 2)


def test_every_change_is_a_version_and_in_the_log(crowd: tuple[Purpose, list[Profile]], api_token: Token) -> None:
    """Who, when, before, after and what it did; neither can be altered."""
    newsletter, _people = crowd
    patch(api_token(OFFICER), {**WIDER, "confirm": 3})
    add_text(purpose_id=newsletter.pk, text="Yes", actor="test")
    first, second, third = PurposeVersion.objects.order_by("version")
    assert (first.basis, second.basis, third.basis) == ("consent", "legitimate_interest", "legitimate_interest")
    assert (second.text_version, third.text_version) == (0, 1)
    assert second.effect["email"]["gained"] == 3
    assert second.created_by.startswith("token:")
    entry = AccessLog.objects.get(action="purpose.changed", detail__version=2)
    assert entry.actor_label == "privacy_officer"
    assert entry.detail["changes"] == {"basis": ["consent", "legitimate_interest"]}
    for rows in (PurposeVersion.objects.filter(pk=first.pk), AccessLog.objects.filter(pk=entry.pk)):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        PurposeVersion.objects.filter(pk=first.pk).update(basis="contract")


def test_records_name_the_terms_they_were_given_under(crowd: tuple[Purpose, list[Profile]]) -> None:
    """Also after the terms have changed, and in the export."""
    newsletter, people = crowd
    update_purpose(purpose_id=newsletter.pk, changes=WIDER, confirmed=3)
    later = say(people[5], newsletter, "given")
    assert ConsentRecord.objects.earliest("id").purpose_version.basis == "consent"
    assert later.purpose_version.basis == "legitimate_interest"
    assert verify_ledger() == []
    lines = list(export_lines())
    assert list(verify_lines(lines)) == []
    assert sum('"kind": "terms"' in line for line in lines) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_purposeversion SET basis = 'consent' WHERE version = 2",
        "UPDATE consent_purposeversion SET created_by = 'anna' WHERE version = 1",
        "UPDATE consent_purpose SET basis = 'consent'",
        "UPDATE consent_purpose SET retention_days = 9",
    ],
)
def test_terms_changed_behind_our_back_are_found(crowd: tuple[Purpose, list[Profile]], statement: str) -> None:
    """The verification reads versions and purposes too."""
    update_purpose(purpose_id=crowd[0].pk, changes=WIDER, confirmed=3)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # the triggers of the transaction so far
    tamper(statement)
    assert "terms" in {problem.code for problem in verify_ledger()}


def test_what_a_contract_demands_is_no_marketing(crowd: tuple[Purpose, list[Profile]]) -> None:
    """Neither at its definition nor later; and what people answered as marketing stays marketing."""
    newsletter, _people = crowd
    with pytest.raises(CdpError) as refused:
        update_purpose(purpose_id=newsletter.pk, changes={"basis": "contract"})
    assert refused.value.code == "consent.necessary_is_no_marketing"
    with pytest.raises(CdpError) as refused:
        update_purpose(purpose_id=newsletter.pk, changes={"basis": "contract", "is_marketing": False}, confirmed=4)
    assert refused.value.code == "consent.marketing_is_fixed"
    with pytest.raises(CdpError):
        purpose("invoices", basis="legal_obligation")


def test_the_number_before_equals_the_gate_after(crowd: tuple[Purpose, list[Profile]]) -> None:
    """For a narrowing, a widening and a second channel."""
    newsletter, people = crowd
    for changes in (WIDER, {"active": False}, {"active": True}, {"channels": ["email", "sms"]}, {"basis": "consent"}):
        current = Purpose.objects.get()
        effect = effect_of(current, with_changes(current, changes))
        proposed = with_changes(current, changes)
        came = people_affected(current, proposed, gained=True)
        assert (len(came), len(people_affected(current, proposed, gained=False))) == (effect.gained, effect.lost)
        assert effect.channels["email"].before == reached(newsletter, people)
        update_purpose(purpose_id=newsletter.pk, changes=changes, confirmed=effect.gained)
        assert effect.channels["email"].after == reached(newsletter, people)
