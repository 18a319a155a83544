"""The catalogue's pages: what they show, to whom; announcing, describing, taking out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from cdp.common.models import AccessLog
from profiles.catalogue.public import MANY
from profiles.catalogue.store import new_tally, write
from profiles.models import CatalogueEntry
from tests.profiles.factories import make_interaction, make_profile
from tests.profiles.processing.inbox import source

pytestmark = pytest.mark.django_db
Clients = Callable[[str], Client]


@pytest.fixture
def known() -> None:
    """A trait with mixed types and an event with lines."""
    tally, now, origin = new_tally(), timezone.now(), source()
    for value in ("NL", "NL", "NL", 7):
        tally.trait("country", None, value, at=now, source_id=origin.pk)
    tally.event("Order", {"lines": [{"sku": "bike"}]}, at=now, source_id=origin.pk)
    write(tally)


def test_an_empty_catalogue_says_what_it_is(client_as: Clients) -> None:
    assert "fills by itself" in client_as("Analyst").get("/catalogue/").content.decode()


def test_the_list_shows_types_people_and_values(client_as: Clients, known: None) -> None:
    html = client_as("Marketer").get("/catalogue/").content.decode()
    assert "country" in html and "mixed" in html and ">NL<" in html
    assert "lines" not in html, "properties are on the page of their event"
    only = client_as("Marketer").get("/catalogue/?what=event&q=ord").content.decode()
    assert "Order" in only and "country" not in only


def test_the_page_of_an_event_lists_its_properties(client_as: Clients, known: None) -> None:
    page = CatalogueEntry.objects.get(scope="event")
    html = client_as("Analyst").get(f"/catalogue/{page.pk}/").content.decode()
    assert "lines[].sku" in html and source().name in html
    assert "Take out" not in html, "an analyst changes nothing"


def test_announcing_makes_a_name_known(client_as: Clients) -> None:
    client = client_as("Marketer")
    form = {"scope": "property", "event": "Order", "path": "lines[].colour", "type": "text", "description": "Frame"}
    answer = client.post("/catalogue/announce/", form)
    entry = CatalogueEntry.objects.get()
    assert answer["Location"] == f"/catalogue/{entry.pk}/"
    assert entry.types == {"text": 0} and entry.description == "Frame"
    assert "announced, not seen yet" in client.get(answer["Location"]).content.decode()
    assert AccessLog.objects.filter(action="catalogue.announced").exists()
    assert client.post("/catalogue/announce/", form).status_code == 422


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"path": ""}, "Give a name"),
        ({"type": ""}, "what kind of value"),
        ({"scope": "trait", "path": "__proto__"}, "cannot have this name"),
    ],
)
def test_a_faulty_announcement_keeps_what_was_typed(client_as: Clients, changed: dict[str, str], fault: str) -> None:
    form = {"scope": "property", "event": "Order", "path": "colour", "type": "text", **changed}
    answer = client_as("Marketer").post("/catalogue/announce/", form)
    assert answer.status_code == 422 and fault in answer.content.decode()
    assert 'value="Order"' in answer.content.decode()
    assert not CatalogueEntry.objects.exists()


def test_describing_and_taking_out_are_logged(client_as: Clients, known: None) -> None:
    client, event = client_as("Marketer"), CatalogueEntry.objects.get(scope="event")
    client.post(f"/catalogue/{event.pk}/describe/", {"description": "A paid order"})
    assert "A paid order" in client.get("/catalogue/").content.decode()
    client.post(f"/catalogue/{event.pk}/forget/")
    assert not CatalogueEntry.objects.filter(event="Order").exists()
    assert set(AccessLog.objects.values_list("action", flat=True)) >= {"catalogue.described", "catalogue.forgotten"}


def test_others_may_not_change_it(client_as: Clients, known: None) -> None:
    entry = CatalogueEntry.objects.get(scope="event")
    for role in ("Analyst", "Privacy officer"):
        assert client_as(role).post(f"/catalogue/{entry.pk}/forget/").status_code == 403
        assert client_as(role).get("/catalogue/announce/").status_code == 403


def test_who_may_not_see_people_reads_values_that_are_marked_as_not_personal(client_as: Clients, known: None) -> None:
    trait = CatalogueEntry.objects.get(scope="trait")
    analyst, marketer = client_as("Analyst"), client_as("Marketer")
    place = f"/catalogue/{trait.pk}/"
    assert ">NL<" in marketer.get(place).content.decode()
    assert 'break">NL<' not in analyst.get(place).content.decode()
    marketer.post(f"{place}describe/", {"description": "where", "pii": "open"})
    assert 'break">NL<' in analyst.get(place).content.decode()
    assert AccessLog.objects.filter(action="catalogue.classified", detail__contains={"class": "open"}).exists()
    marketer.post(f"{place}describe/", {"description": "where", "pii": "personal"})
    trait.refresh_from_db()
    assert trait.top_values == {}, "what is personal is not kept as a frequent value"
    assert analyst.post(f"{place}describe/", {"pii": "open"}).status_code == 403


def test_a_property_is_marked_for_every_event_at_once(client_as: Clients, known: None) -> None:
    tally = new_tally()
    tally.event("Refund", {"lines": [{"sku": "bike"}]}, at=timezone.now(), source_id=None)
    write(tally)
    entry = CatalogueEntry.objects.filter(path="lines[].sku").first()
    assert entry is not None
    client_as("Marketer").post(f"/catalogue/{entry.pk}/describe/", {"pii": "open", "everywhere": "on"})
    assert set(CatalogueEntry.objects.filter(path="lines[].sku").values_list("pii", flat=True)) == {"open"}


def test_the_name_of_an_event_is_shown_when_many_do_it_or_somebody_marked_it(client_as: Clients, known: None) -> None:
    entry = CatalogueEntry.objects.get(scope="event")
    analyst = client_as("Analyst")
    assert "<h1>Order</h1>" not in analyst.get(f"/catalogue/{entry.pk}/").content.decode()
    for _person in range(MANY):
        make_interaction(make_profile(), "Order")
    assert "<h1>Order</h1>" in analyst.get(f"/catalogue/{entry.pk}/").content.decode()
    client_as("Marketer").post(f"/catalogue/{entry.pk}/describe/", {"pii": "personal"})
    assert "<h1>Order</h1>" not in analyst.get(f"/catalogue/{entry.pk}/").content.decode()
