"""What holds across all parts at once; each part's own share is tested where it lives."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from campaigns.models import Delivery
from cdp.common.models import AccessLog
from cdp.common.roles import ADMINISTRATOR, MARKETER
from consent.services import erase_person, verify_ledger
from profiles.models import Profile, RawMessage
from tests.consent.test_erasing import places_with
from tests.profiles.importing.helpers import imported
from tests.profiles.processing.inbox import identify, send, source, track
from tests.scenarios.walk import browser_of, value_of
from tests.scenarios.world import ADDRESS, NAME

pytestmark = pytest.mark.django_db


def test_the_database_holds_one_decision_for_a_person_of_a_campaign(world: dict[str, Any]) -> None:
    row = world["delivery"]
    copy = Delivery(campaign_id=row.campaign_id, profile_id=row.profile_id, decided_at=row.decided_at)
    with pytest.raises(IntegrityError), transaction.atomic():
        copy.save(force_insert=True)


def test_an_erasure_leaves_no_name_and_no_address_in_any_table(world: dict[str, Any]) -> None:
    """The person has been everywhere: events, raw bodies, a rejected message, an import, a segment, a campaign."""
    send(
        source(),
        identify("m1", userId="wil-1", traits={"email": ADDRESS, "first_name": NAME}),
        track("m2", "Order Completed", 1, userId="wil-1", properties={"note": f"for {NAME}"}),
    )
    imported(f"email,first_name\n{ADDRESS},{NAME}\n")
    browser_of(MARKETER).get(reverse("profiles:people"), {"q": NAME})
    # A body that was never worked into a person: it goes with its day, as every raw body does.
    RawMessage.objects.filter(id=world["raw_id"]).delete()
    before = places_with(ADDRESS)
    assert {"profiles_identifier.value", "profiles_rawmessage.body", "profiles_rejectedmessage.payload"} <= set(before)
    erase_person(profile_id=world["person"].pk, actor="test", reason="asked for it")
    assert (places_with(ADDRESS), places_with(NAME)) == ([], [])
    assert verify_ledger() == []
    imported(f"email,first_name\n{ADDRESS},{NAME}\n")
    assert not Profile.objects.filter(email=ADDRESS).exists(), "the tombstone keeps the person out"


@pytest.mark.parametrize(
    ("name", "words", "query"),
    [
        ("profiles:people", [], "?export=csv"),
        ("profiles:person", ["person"], ""),
        ("profiles:import_rows", ["import"], ""),
        ("profiles:import_rejected", ["import"], ""),
        ("segments:members", ["segment"], "?export=csv"),
        ("campaigns:forecast_people", ["campaign"], "?reason="),
        ("campaigns:deliveries", ["running"], "?export=csv"),
        ("campaigns:delivery", ["running", "delivery"], ""),
        ("consent:log", [], "?export=csv"),
        ("consent:record", ["record"], ""),
    ],
)
def test_who_looked_people_up_is_on_record(world: dict[str, Any], name: str, words: list[str], query: str) -> None:
    values = [world.get(word, word) for word in words]
    arguments = [value_of(value) for value in values]
    before = AccessLog.objects.count()
    answer = browser_of(ADMINISTRATOR).get(reverse(name, args=arguments) + query)
    assert answer.status_code == 200
    if answer.streaming:
        b"".join(answer)
    assert AccessLog.objects.count() > before
