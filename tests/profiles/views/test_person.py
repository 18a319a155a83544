"""The page of one person."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cdp.common.models import AccessLog
from profiles.models import CatalogueEntry, Merge, Profile
from tests.profiles.factories import (
    make_identifier,
    make_interaction,
    make_interactions,
    make_merge,
    make_profile,
    make_source,
    make_trait_change,
)
from tests.profiles.processing.inbox import identify, send, source
from tests.profiles.processing.inbox import person as person_of

pytestmark = pytest.mark.django_db
ClientAs = Callable[[str], Client]
EVIL = '"><script>alert(1)</script>'


def page_of(client: Client, person: Profile, query: str = "") -> str:
    return client.get(f"/people/{person.uuid}/{query}").content.decode()


def anna() -> Profile:
    """Make a person of whom much is known."""
    person = make_profile(
        name="Anna de Vries",
        email="anna@example.org",
        traits={"first_name": "Anna", "city": "Utrecht", "plan": "pro"},
    )
    make_identifier(person, "user_id", "88213")
    make_interaction(person, "Product Viewed", properties={"name": "Runner 3 Low"}, context={"ip": "10.9.8.0"})
    make_trait_change(person, "first_name", "Annie", "Anna")
    return person


def test_the_page_tells_who_and_what(client_as: ClientAs) -> None:
    page = page_of(client_as("Marketer"), anna())
    for part in (
        "Anna de Vries",
        "anna@example.org",
        "Utrecht",
        "88213",
        "Product Viewed",
        "Runner 3 Low",
        "from Annie to Anna",
    ):
        assert part in page


def test_every_look_is_in_the_access_log(client_as: ClientAs) -> None:
    person = anna()
    page_of(client_as("Analyst"), person)
    row = AccessLog.objects.get(action="profile.viewed")
    assert row.object_id == str(person.uuid)
    assert row.actor_label == "analyst"


def test_the_analyst_sees_what_happened_but_not_to_whom(client_as: ClientAs) -> None:
    page = page_of(client_as("Analyst"), anna())
    assert "Product Viewed" in page
    for secret in ("Anna", "Annie", "anna@example.org", "88213", "10.9.8.0", "Utrecht", "Runner 3"):
        assert secret not in page
    assert "Export" not in page


def test_the_analyst_sees_what_the_catalogue_marks_as_not_personal(client_as: ClientAs) -> None:
    CatalogueEntry.objects.create(scope="trait", path="city", pii="open")
    CatalogueEntry.objects.create(scope="event", event="Product Viewed")
    CatalogueEntry.objects.create(scope="property", event="Product Viewed", path="name", pii="open")
    page = page_of(client_as("Analyst"), anna())
    assert "Utrecht" in page and "Runner 3 Low" in page and "pro<" not in page


def test_addresses_inside_page_addresses_are_masked_too(client_as: ClientAs) -> None:
    person = make_profile(name="Anna")
    make_interaction(
        person, "Page Viewed", kind="page", properties={"url": "https://shop.example/?mail=anna@example.org"}
    )
    assert "anna@example.org" in page_of(client_as("Marketer"), person)
    assert "anna@example.org" not in page_of(client_as("Analyst"), person)


def test_nothing_that_came_in_runs_as_markup(client_as: ClientAs) -> None:
    person = make_profile(name=EVIL, email="x@example.org", traits={EVIL: EVIL, "list": [EVIL], "object": {EVIL: EVIL}})
    make_identifier(person, "user_id", EVIL)
    make_interaction(
        person, EVIL, properties={"name": EVIL, "url": "javascript:alert(1)"}, context={"campaign": {"name": EVIL}}
    )
    make_interaction(person, "Page Viewed", kind="page", properties={"url": EVIL})
    make_trait_change(person, EVIL, EVIL, EVIL)
    make_source(EVIL, slug="evil")
    page = page_of(client_as("Marketer"), person)
    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    assert "style=" not in page
    history = client_as("Marketer").get(f"/people/{person.uuid}/history/", {"trait": EVIL}).content.decode()
    assert "<script>alert" not in history


def test_a_merged_person_leads_to_the_one_that_stayed(client_as: ClientAs) -> None:
    winner = make_profile(name="Winner")
    middle = make_profile(name="Middle", merged_into=winner)
    loser = make_profile(name="Loser", merged_into=middle)
    response = client_as("Marketer").get(f"/people/{loser.uuid}/")
    assert response["Location"] == f"/people/{winner.uuid}/"


def test_an_erased_person_is_a_tombstone(client_as: ClientAs) -> None:
    person = make_profile(name="", erased_at=timezone.now())
    response = client_as("Privacy officer").get(f"/people/{person.uuid}/")
    assert response.status_code == 410
    assert "erased" in response.content.decode()
    assert client_as("Privacy officer").post(f"/people/{person.uuid}/export/").status_code == 404


def test_an_unknown_person_is_not_found(client_as: ClientAs) -> None:
    assert client_as("Marketer").get("/people/00000000-0000-4000-8000-000000000000/").status_code == 404


def test_a_person_without_anything_says_so(client_as: ClientAs) -> None:
    page = page_of(client_as("Marketer"), make_profile())
    assert "Nothing happened yet" in page
    assert "Visitor " in page


def test_more_events_take_no_more_queries(client_as: ClientAs) -> None:
    client, person, now = client_as("Marketer"), anna(), timezone.now()
    source = make_source()
    make_interactions(person, [("Product Viewed", now - timedelta(minutes=5), {})], source=source)
    page_of(client, person)
    with CaptureQueriesContext(connection) as few:
        page_of(client, person)
    make_interactions(person, [("Page Viewed", now - timedelta(minutes=i), {}) for i in range(2000)], source=source)
    for index in range(20):
        make_identifier(person, "anonymous_id", f"device-{index}")
        make_trait_change(person, f"trait {index}", None, index)
    with CaptureQueriesContext(connection) as many:
        page_of(client, person)
    assert len(many) == len(few)


def test_older_goes_on_to_the_first_event_without_gap_or_repeat(client_as: ClientAs) -> None:
    client, person, now = client_as("Marketer"), make_profile(), timezone.now()
    # Several events at each moment, so that pages end in the middle of one.
    make_interactions(person, [(f"Event {i:03}", now - timedelta(minutes=i // 7), {}) for i in range(100)])
    seen: list[str] = []
    page = page_of(client, person)
    while True:
        seen += re.findall(r'<span class="strong">(Event \d+)</span>', page)
        older = re.search(r'hx-get="([^"]*before=[^"]+)"', page)
        if not older:
            break
        page = client.get(older[1].replace("&amp;", "&"), headers={"HX-Request": "true"}).content.decode()
    assert sorted(seen) == [f"Event {i:03}" for i in range(100)]


@pytest.mark.parametrize(
    "query", ["?before=x", "?before=2026-01-01", "?kind=nothing", "?before=9999-99-99T00:00:00Z", "?before=%00"]
)
def test_odd_addresses_show_the_page(client_as: ClientAs, query: str) -> None:
    assert "Product Viewed" in page_of(client_as("Marketer"), anna(), query)


def test_chips_keep_one_kind_only(client_as: ClientAs) -> None:
    person = anna()
    make_interaction(person, "Order Completed", properties={"total": 89, "currency": "EUR"})
    orders = page_of(client_as("Marketer"), person, "?kind=order")
    assert "€89.00" in orders
    assert "Product Viewed" not in orders
    web = page_of(client_as("Marketer"), person, "?kind=web")
    assert "Product Viewed" in web
    assert "Order Completed" not in web
    changes = page_of(client_as("Marketer"), person, "?kind=change")
    assert "from Annie to Anna" in changes
    assert "Product Viewed" not in changes


def test_a_traits_history_names_who_said_so(client_as: ClientAs) -> None:
    person = make_profile(name="Anna", email="a@example.org")
    make_trait_change(person, "city", "Gent", "Utrecht", source=make_source("Order system"))
    make_trait_change(person, "city", None, "Gent", cause="import:12")
    page = client_as("Marketer").get(f"/people/{person.uuid}/history/?trait=city").content.decode()
    assert "Order system" in page
    assert "import 12" in page


def test_an_ignored_value_is_shown_with_its_reason_and_a_pinned_one_stays(client_as: ClientAs) -> None:
    send(source("server", "crm"), identify("m1", 1, userId="u1", traits={"plan": "pro"}))
    send(source("browser", "web"), identify("m2", 2, userId="u1", traits={"plan": "hacked"}))
    client, anna = client_as("Marketer"), person_of("user_id", "u1")
    address, pin = f"/people/{anna.uuid}/history/?trait=plan", f"/people/{anna.uuid}/traits/pin/"
    panel = client.get(address).content.decode()
    assert "hacked" in panel and "never overwrites what a trusted source said" in panel
    client.post(pin, {"key": "plan", "pin": "1"})
    send(source("server", "crm"), identify("m3", 3, userId="u1", traits={"plan": "basic"}))
    anna.refresh_from_db()
    assert anna.traits["plan"] == "pro"
    panel = client.get(address).content.decode()
    assert "basic" in panel and "somebody pinned the value" in panel and "Unpin" in panel
    assert "pinned" in page_of(client, anna)
    client.post(pin, {"key": "plan", "pin": "0"})
    anna.refresh_from_db()
    assert anna.traits["plan"] == "basic"
    assert AccessLog.objects.filter(action="profile.changed", object_id=str(anna.uuid)).count() == 2


def test_a_value_can_be_pinned_as_it_is_typed_and_typing_without_the_pin_unpins(client_as: ClientAs) -> None:
    send(source("server"), identify("m1", 1, userId="u1", traits={"plan": "pro"}))
    client, anna = client_as("Marketer"), person_of("user_id", "u1")
    address = f"/people/{anna.uuid}/traits/"
    client.post(address, {"key": "plan", "value": "vip", "kind": "text", "pin": "1"})
    anna.refresh_from_db()
    assert (anna.traits["plan"], anna.origins["plan"]["pin"]) == ("vip", True)
    client.post(address, {"key": "plan", "value": "gold", "kind": "text"})
    anna.refresh_from_db()
    assert anna.traits["plan"] == "gold" and "pin" not in anna.origins["plan"]
    answer = client.post(f"/people/{anna.uuid}/traits/pin/", {"key": "absent", "pin": "1"}, follow=True)
    assert "There is no value to pin." in answer.content.decode()


def test_merges_are_told_and_those_to_review_come_first(client_as: ClientAs) -> None:
    person = anna()
    make_merge(person, make_profile(merged_into=person), moved={"identifiers": [1, 2]})
    make_merge(person, make_profile(), state="quarantined", at=timezone.now() - timedelta(days=9))
    page = page_of(client_as("Marketer"), person)
    assert "Merged with an anonymous visitor" in page
    merges = page[page.index('id="merges"') : page.index('id="timeline"')]
    assert merges.index("to review") < merges.index("2 devices")


def test_the_export_holds_everything_and_is_logged(client_as: ClientAs) -> None:
    person = anna()
    response = client_as("Privacy officer").post(f"/people/{person.uuid}/export/")
    document = json.loads(response.content)
    assert document["traits"]["first_name"] == "Anna"
    assert {"kind": "user_id", "value": "88213", "trusted_at": None, "confirmed_at": None} in document["identifiers"]
    assert AccessLog.objects.filter(action="profile.exported", object_id=str(person.uuid)).count() == 1


def test_the_export_is_closed_to_the_analyst_and_to_links(client_as: ClientAs) -> None:
    person = anna()
    assert client_as("Analyst").post(f"/people/{person.uuid}/export/").status_code == 403
    assert client_as("Marketer").get(f"/people/{person.uuid}/export/").status_code == 405


# Changing what is known ----------------------------------------------------------------------------------------------
def edit(client: Client, person: Profile, **fields: str) -> str:
    return client.post(f"/people/{person.uuid}/traits/", fields, follow=True).content.decode()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("text", " Gent ", "Gent"), ("number", "12,5", 12.5), ("yes_no", "ja", True), ("list", "a\n\nb", ["a", "b"])],
)
def test_a_trait_is_set_by_hand(client_as: ClientAs, kind: str, text: str, value: object) -> None:
    person = make_profile(name="Anna", email="anna@example.org")
    page = edit(client_as("Marketer"), person, key="favourite", kind=kind, value=text)
    person.refresh_from_db()
    assert person.traits["favourite"] == value
    assert "by hand" in page
    assert AccessLog.objects.get(action="profile.changed").detail == {"traits": ["favourite"]}


@pytest.mark.parametrize(
    ("kind", "text"),
    [("number", "1.000,5"), ("number", "NaN"), ("number", "1e999"), ("yes_no", "perhaps"), ("text", "  ")],
)
def test_a_value_that_does_not_fit_is_refused_in_words(client_as: ClientAs, kind: str, text: str) -> None:
    person = make_profile(name="Anna", email="anna@example.org")
    assert "notice-error" in edit(client_as("Marketer"), person, key="x", kind=kind, value=text)
    person.refresh_from_db()
    assert "x" not in person.traits


@pytest.mark.parametrize("key", ["", "<b>", "a" * 101, "a\x00b"])
def test_a_name_that_cannot_be_is_refused_in_words(client_as: ClientAs, key: str) -> None:
    person = make_profile(name="Anna", email="anna@example.org")
    assert "notice-error" in edit(client_as("Marketer"), person, key=key, kind="text", value="x")


def test_a_trait_is_removed_by_hand(client_as: ClientAs) -> None:
    person = make_profile(name="Anna", email="anna@example.org")
    client = client_as("Marketer")
    edit(client, person, key="plan", kind="text", value="pro")
    edit(client, person, key="plan", remove="1")
    person.refresh_from_db()
    assert "plan" not in person.traits


def test_the_analyst_changes_nothing(client_as: ClientAs) -> None:
    person, other = make_profile(name="Anna", email="anna@example.org"), make_profile()
    merge = make_merge(person, other, state="quarantined")
    client = client_as("Analyst")
    assert client.post(f"/people/{person.uuid}/traits/", {"key": "x", "value": "y"}).status_code == 403
    assert client.post(f"/people/merges/{merge.pk}/", {"answer": "merge"}).status_code == 403
    assert client.post(f"/people/{person.uuid}/merges/{merge.pk}/undo/").status_code == 403
    assert client.get("/people/merges/").status_code == 403


def test_two_people_are_merged_by_an_answer_and_unmerged_again(client_as: ClientAs) -> None:
    client = client_as("Marketer")
    one = make_profile(name="Anna", email="anna@example.org")
    two = make_profile(name="Anna Too", email="too@example.org")
    waiting = make_merge(one, two, state="quarantined", cause="weak")
    assert "only a website said so" in client.get("/people/merges/").content.decode()
    client.post(f"/people/merges/{waiting.pk}/", {"answer": "merge"})
    two.refresh_from_db()
    assert two.merged_into_id == one.pk
    merge = Merge.objects.get(state="done")
    assert "They become two people again" in page_of(client, one)
    client.post(f"/people/{one.uuid}/merges/{merge.pk}/undo/")
    two.refresh_from_db()
    assert two.merged_into_id is None
    assert "too@example.org" in page_of(client, two)
    assert "too@example.org" not in page_of(client, one)


def test_two_people_are_kept_apart_by_an_answer(client_as: ClientAs) -> None:
    waiting = make_merge(make_profile(name="A"), make_profile(name="B"), state="quarantined")
    client = client_as("Marketer")
    assert "Choose" in client.post(f"/people/merges/{waiting.pk}/", follow=True).content.decode()
    client.post(f"/people/merges/{waiting.pk}/", {"answer": "apart"})
    waiting.refresh_from_db()
    assert waiting.state == "dismissed"
    assert client.post(f"/people/merges/{waiting.pk}/", {"answer": "merge"}).status_code == 404
