"""The catalogue as written by events, by hand and by the nightly count; and what an erasure takes out of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from profiles.catalogue import store
from profiles.catalogue.observe import Tally
from profiles.catalogue.store import forget_values, new_tally, recount, write
from profiles.models import CatalogueEntry, Profile
from profiles.querysets.catalogue import frequent_values
from tests.profiles.processing.inbox import identify, send, source, track

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def entry(scope: str, event: str = "", path: str = "") -> CatalogueEntry:
    """Return one entry."""
    return CatalogueEntry.objects.get(scope=scope, event=event, path=path)


def order(tally: Tally, **properties: Any) -> None:
    """Observe an order."""
    tally.event("Order", properties, at=AT, source_id=1)


@pytest.mark.django_db
def test_writes_add_up() -> None:
    for _time in range(2):
        tally = new_tally()
        for name in ("Utrecht", "Utrecht", "Gent"):
            order(tally, city=name, total=3)
        write(tally)
    city = entry("property", "Order", "city")
    assert (city.count, city.types, city.top_values) == (6, {"text": 6}, {"Utrecht": 4, "Gent": 2})
    assert city.first_seen_at == city.last_seen_at == AT and city.source_ids == [1]
    assert entry("event", "Order").count == 6
    assert frequent_values(city) == ["Utrecht"], "what was seen only twice may be about one person"


@pytest.mark.django_db
def test_addresses_and_numbers_are_never_kept_as_values() -> None:
    tally = new_tally()
    for _time in range(3):
        order(tally, contact="anna@shop.nl", note="+31 6 1234 5678", email="b@shop.nl", order_id="o-1", ok=True)
    write(tally)
    kept = {row.path: row.top_values for row in CatalogueEntry.objects.properties("Order")}
    assert kept == {"contact": {}, "note": {}, "email": {}, "order_id": {}, "ok": {"yes": 3}}


@pytest.mark.django_db
def test_a_flood_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_EVENTS", 5)
    tally = new_tally()
    for number in range(20):
        tally.event(f"E{number}", {}, at=AT, source_id=1)
    write(tally)
    assert CatalogueEntry.objects.events().count() == 5


@pytest.mark.django_db(transaction=True)
def test_events_and_traits_of_the_collector_are_in_the_catalogue_at_once() -> None:
    origin = source()
    send(
        origin,
        identify("m1", userId="u1", traits={"plan": "pro", "home": {"city": "Gent"}}),
        track("m2", "Order Completed", userId="u1", properties={"products": [{"category": "Bikes"}]}),
    )
    assert entry("trait", path="plan").people == 1
    assert entry("trait", path="home.city").types == {"text": 1}
    assert entry("property", "Order Completed", "products[].category").source_ids == [origin.pk]
    send(origin, identify("m3", minute=1, userId="u1", traits={"plan": None}))
    assert entry("trait", path="plan").people == 0


@pytest.mark.django_db(transaction=True)
def test_what_is_not_stored_is_not_in_the_catalogue() -> None:
    origin = source()
    send(origin, track("m1", "Good", userId="u1"), {"type": "track", "messageId": "m2", "event": "Bad"})
    assert list(CatalogueEntry.objects.events().values_list("event", flat=True)) == ["Good"]


@pytest.mark.django_db
def test_the_nightly_count_is_exact_and_finds_what_was_lost() -> None:
    now = timezone.now()
    for number in range(3):
        Profile.objects.create(
            traits={"plan": "pro", **({"city": "Gent"} if number else {})}, first_seen_at=now, last_seen_at=now
        )
    CatalogueEntry.objects.create(scope="trait", path="plan", types={"text": 9}, people=9)
    CatalogueEntry.objects.create(scope="trait", path="gone", types={"text": 9}, people=9)
    recount()
    people = dict(CatalogueEntry.objects.traits().values_list("path", "people"))
    assert people == {"plan": 3, "city": 2, "gone": 0}


@pytest.mark.django_db
def test_an_erasure_takes_rare_and_equal_values_out() -> None:
    CatalogueEntry.objects.create(
        scope="trait", path="nick", types={"text": 9}, top_values={"Zus": 2, "ANNA": 7, "Jo": 5}
    )
    assert forget_values(["anna"]) == 1
    assert entry("trait", path="nick").top_values == {"Jo": 5}
