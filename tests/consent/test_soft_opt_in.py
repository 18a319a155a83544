"""C20: soft opt-in is a basis of its own: who bought and could refuse is reached, who did not is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from celery import current_app
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cdp.common.errors import CdpError
from consent.effects import effect_of, with_changes
from consent.gate import answers_for, check
from consent.models import ConsentRecord, ConsentState, Purpose, SaleScan
from consent.policy.soft_opt_in import SoftOptIn, state_after_sale
from consent.policy.states import OBJECTED, STATES
from consent.services import create_purpose, save_preferences, update_purpose, verify_ledger
from consent.services import sales as service
from profiles.models import Profile
from tests.consent.factories import at, person, purpose, say, state_of
from tests.profiles.processing.inbox import NOW, send, source, track
from tests.profiles.processing.inbox import person as who

pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]
Token = Callable[[str], dict[str, str]]
SINCE = (NOW - timedelta(days=1)).date().isoformat()
FACTS = {
    "event": "Order Completed",
    "seller": "Fiets & Bos B.V.",
    "products": "bicycles and what belongs to them",
    "offered_since": SINCE,
    "offered_how": "Beside the address at the checkout: “No mail about other bicycles, please”",
    "refused_property": "no_marketing",
}
SOFT = {"basis": "soft_opt_in", "soft_opt_in": FACTS}


def offers(**fields: Any) -> Purpose:
    """Make a purpose that rests on sales."""
    return purpose("offers", **(SOFT | fields))


def buy(user: str, number: int = 1, *, by: str = "server", minute: int = 0, **properties: Any) -> Profile:
    """Buy something at the shop, as a customer with an address."""
    message = f"{user}-{number}"
    traits = {"email": f"{user}@klantbeeld.example"}
    identify = {"type": "identify", "messageId": f"i-{message}", "userId": user, "traits": traits}
    order = track(message, "Order Completed", minute, userId=user, properties={"order_id": message, **properties})
    send(source("server"), identify)
    send(source(by), order)
    return who("user_id", user)


def reach(of: Purpose, *people: Profile) -> list[bool]:
    """Return whom the gate lets through."""
    found = check(profile_ids=[row.pk for row in people], purpose_id=of.pk, channel="email")
    answers = [next(item for item in answers_for(row.pk, purposes=[of])).decision.allowed for row in people]
    assert answers == [found[row.pk].allowed for row in people]
    return answers


def test_who_bought_and_could_refuse_is_reached_and_nobody_else() -> None:
    """The five facts, one by one."""
    of = offers()
    bought, refused, early = buy("anna"), buy("bert", no_marketing=True), buy("carla", minute=-4 * 24 * 60)
    untrusted, silent = buy("dirk", by="browser"), person()
    assert reach(of, bought, refused, early, untrusted, silent) == [True, False, False, False, False]
    assert (state_of(bought, of), state_of(refused, of)) == ("soft_opt_in", "refused")
    record = ConsentRecord.objects.get(state="soft_opt_in")
    assert (record.proof, record.reference) == ("claimed", "message:anna-1")
    assert record.evidence.payload is not None
    assert record.evidence.payload["order"] == "anna-1"
    assert "No mail about other bicycles" in record.evidence.payload["refusal_offered"]
    assert record.purpose_version.soft_opt_in == FACTS
    assert check(profile_ids=[bought.pk], purpose_id=of.pk, channel="email")[bought.pk].record_id == record.pk
    assert verify_ledger() == []


def test_a_soft_opt_in_is_no_consent() -> None:
    """A purpose that asks for consent is not open to customers."""
    of = offers()
    anna = buy("anna")
    assert reach(of, anna) == [True]
    newsletter = purpose()
    say(anna, newsletter, "given")
    assert reach(newsletter, anna) == [True]
    update_purpose(purpose_id=of.pk, changes={"basis": "consent"})
    assert reach(Purpose.objects.get(pk=of.pk), anna) == [False]


def test_a_no_stands_whatever_is_bought_later() -> None:
    """Withdrawn, or objected to all marketing: no sale brings it back; a later tick at the checkout ends it too."""
    of = offers()
    anna, bert, carla = buy("anna"), buy("bert"), buy("carla")
    say(anna, of, "withdrawn", method="preferences", seen=True)
    say(bert, purpose(), "objected", method="preferences", seen=True)
    buy("carla", 2, minute=5, no_marketing=True)
    for user in ("anna", "bert", "carla"):
        buy(user, 3, minute=10)
    assert reach(of, anna, bert, carla) == [False, False, False]
    assert [state_of(row, of) for row in (anna, carla)] == ["withdrawn", "withdrawn"]


def test_a_yes_is_not_replaced_by_a_sale() -> None:
    """The permission stays the one that is pointed at."""
    of = offers()
    anna = buy("anna")
    record = say(anna, of, "given", method="preferences", seen=True)
    buy("anna", 2, minute=60 * 24 * 5)
    assert ConsentState.objects.get(profile_id=anna.pk, purpose=of).record_id == record.pk


def test_orders_of_one_month_are_one_record() -> None:
    """The ledger need not hold every order; a later month renews it."""
    of = offers(soft_opt_in={**FACTS, "offered_since": (NOW - timedelta(days=60)).date().isoformat()})
    for number, days in enumerate((40, 39, 38, 5)):
        buy("anna", number, minute=-60 * 24 * days)
    assert ConsentRecord.objects.filter(purpose=of).count() == 2


@pytest.fixture
def past() -> list[Profile]:
    """A base with sales before there was any purpose: two bought, one refused, one bought by a public key, one not."""
    people = [buy("anna"), buy("bert"), buy("carla", no_marketing="yes"), buy("dirk", by="browser"), person()]
    buy("bert", 2, minute=30, no_marketing=True)
    return people


def test_the_sales_of_the_past_count_and_the_preview_says_how_many(
    past: list[Profile], api_token: Token, client_as: AsRole
) -> None:
    """Exactly those whom the background then records; the number has to be confirmed."""
    newsletter = purpose()
    effect = effect_of(newsletter, with_changes(newsletter, SOFT))
    assert (effect.gained, effect.lost) == (1, 0)
    headers = api_token("Privacy officer")
    patch = {"path": "/api/v1/purposes/newsletter/", "content_type": "application/json", "headers": headers}
    assert Client().patch(data=SOFT, **patch).json()["code"] == "consent.widens"  # type: ignore[arg-type]
    changed = Client().patch(data={**SOFT, "confirm": 1}, **patch)  # type: ignore[arg-type]
    assert (changed.status_code, changed.json()["soft_opt_in"]["event"]) == (200, "Order Completed")
    page = client_as("Privacy officer").get("/privacy/purposes/newsletter/").text
    assert "are being gone through" in page
    current_app.tasks["consent.record_sales"]()
    assert reach(Purpose.objects.get(), *past) == [True, False, False, False, False]
    assert "were gone through" in client_as("Privacy officer").get("/privacy/purposes/newsletter/").text


def test_a_scan_goes_on_where_it_was_stopped(past: list[Profile], monkeypatch: pytest.MonkeyPatch) -> None:
    """Block by block, each saved with how far it came."""
    monkeypatch.setattr(service, "BLOCK", 2)
    of = offers()
    scan = SaleScan.objects.get()
    assert service.scan_block(scan)
    scan.refresh_from_db()
    assert scan.person > 0
    assert scan.finished_at is None
    current_app.tasks["consent.record_sales"]()
    scan.refresh_from_db()
    assert scan.finished_at is not None
    assert reach(of, *past) == [True, False, False, False, False]
    service.scan_sales(of)
    count = ConsentRecord.objects.count()
    current_app.tasks["consent.record_sales"]()
    assert ConsentRecord.objects.count() == count  # a second time adds nothing


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"soft_opt_in": {}}, "consent.soft_opt_in_incomplete", "event"),
        ({"soft_opt_in": {**FACTS, "seller": " "}}, "consent.soft_opt_in_incomplete", "seller"),
        ({"soft_opt_in": {**FACTS, "products": ""}}, "consent.soft_opt_in_incomplete", "products"),
        ({"soft_opt_in": {**FACTS, "offered_since": "last year"}}, "consent.soft_opt_in_incomplete", "offered_since"),
        ({"soft_opt_in": {**FACTS, "offered_how": ""}}, "consent.soft_opt_in_incomplete", "offered_how"),
        ({"is_marketing": False}, "consent.soft_opt_in_is_marketing", "is_marketing"),
    ],
)
def test_soft_opt_in_cannot_be_saved_without_its_facts(changes: dict[str, Any], code: str, place: str) -> None:
    """P27: each is asked for by name."""
    with pytest.raises(CdpError) as refused:
        create_purpose(name="Offers", **(SOFT | changes))
    assert (refused.value.code, refused.value.place) == (code, place)
    assert Purpose.objects.count() == 0


def test_officer_lays_the_facts_down_on_the_page(client_as: AsRole) -> None:
    """Asked for one by one; the event that nobody ever sent is said so."""
    client = client_as("Privacy officer")
    fields = {"name": "Offers", "channels": ["email"], "basis": "soft_opt_in", "is_marketing": "on", "active": "on"}
    refused = client.post("/privacy/purposes/new/", fields)
    assert refused.status_code == 422
    assert "Soft opt-in needs all its facts" in refused.text
    made = client.post("/privacy/purposes/new/", {**fields, **FACTS, "event": "Order Finished"}, follow=True)
    assert "No event “Order Finished” was ever received" in made.text
    assert Purpose.objects.get().soft_opt_in == {**FACTS, "event": "Order Finished"}
    kept = client.post("/privacy/purposes/offers/", {**fields, **FACTS, "event": "Order Finished", "name": "Deals"})
    assert kept.status_code == 302
    assert Purpose.objects.get().name == "Deals"


def test_preferences_show_a_soft_opt_in_as_on_and_unticking_ends_it() -> None:
    """The page of the person."""
    of = offers()
    anna = buy("anna")
    key = {(of.pk, "email")}
    asked: dict[str, Any] = {"profile_id": anna.pk, "offered": key, "language": "en", "evidence": {}}
    assert save_preferences(wanted=key, **asked) == []
    save_preferences(wanted=set(), **asked)
    assert state_of(anna, of) == "withdrawn"


@given(st.sampled_from(["", *STATES]), st.booleans(), st.integers(-40, 40))
def test_a_sale_never_raises_who_said_no(held: str, refused: bool, days: int) -> None:
    """For every state and moment."""
    since = at(10) if held else None
    after = state_after_sale(refused=refused, at=at(10) + timedelta(days=days), held=held, since=since)
    if held in ("refused", "withdrawn", OBJECTED):
        assert after == ""
    if refused:
        assert after in ("", "refused", "withdrawn")
    if held == "given":
        assert after in ("", "withdrawn")


@pytest.mark.parametrize(
    ("value", "refused"), [(True, True), ("Yes ", True), (1, True), (False, False), (None, False), ("no", False)]
)
def test_refusals_are_read(value: Any, refused: bool) -> None:
    """As sources write them."""
    facts = SoftOptIn(**FACTS)
    assert facts.is_refusal({"no_marketing": value}) is refused
    assert date.fromisoformat(facts.offered_since) < timezone.localdate() + timedelta(days=1)
