"""The list of people: who may see whom, what is found, what leaves in an export."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cdp.common.models import AccessLog
from tests.profiles.factories import make_profile

pytestmark = pytest.mark.django_db
ClientAs = Callable[[str], Client]


def text_of(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined, no-any-return]  # any response of the test client


def test_a_visitor_is_sent_to_log_in(client: Client) -> None:
    response = client.get("/people/")
    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


def test_an_empty_house_says_what_to_do(client_as: ClientAs) -> None:
    page = text_of(client_as("Marketer").get("/people/"))
    assert "Nobody yet" in page
    assert 'href="/sources/"' in page


def test_a_search_without_an_answer_is_not_an_empty_house(client_as: ClientAs) -> None:
    make_profile(name="Anna")
    page = text_of(client_as("Marketer").get("/people/?q=zzz"))
    assert "None match" in page
    assert "Nobody yet" not in page


def test_the_marketer_sees_names_and_the_analyst_does_not(client_as: ClientAs) -> None:
    make_profile(name="Anna de Vries", email="anna@example.org")
    assert "anna@example.org" in text_of(client_as("Marketer").get("/people/"))
    masked = text_of(client_as("Analyst").get("/people/"))
    assert "a•••@e•••.org" in masked
    assert "Anna" not in masked
    assert "anna@example.org" not in masked


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("anna", True),
        ("ANNA VRIES", True),
        ("example.org", True),
        ("de", True),
        ("an", True),
        ("na", False),
        ("anna x", False),
    ],
)
def test_search_finds_words_anywhere_and_short_ones_at_the_start(client_as: ClientAs, text: str, found: bool) -> None:
    make_profile(name="Anna de Vries", email="anna@example.org")
    page = text_of(client_as("Marketer").get("/people/", {"q": text}))
    assert ("Anna de Vries" in page) is found


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", "\x00", "a" * 5000, "🦊", "%00"])
def test_odd_search_texts_are_only_texts(client_as: ClientAs, text: str) -> None:
    make_profile(name="Anna")
    response = client_as("Marketer").get("/people/", {"q": text})
    assert response.status_code == 200


@pytest.mark.parametrize("query", ["sort=-traits", "sort=password", "identified=nobody", "seen_in=1e9", "state=%00"])
def test_odd_addresses_show_the_list(client_as: ClientAs, query: str) -> None:
    make_profile(name="Anna")
    assert "Anna" in text_of(client_as("Marketer").get(f"/people/?{query}"))


@pytest.mark.parametrize("query", ["at=x", "at=%ff", "at=%00", "at=" + "x" * 5000])
def test_a_place_that_is_not_in_the_list_says_so_and_leads_to_the_start(client_as: ClientAs, query: str) -> None:
    make_profile(name="Anna")
    answer = client_as("Marketer").get(f"/people/?{query}")
    assert answer.status_code == 400 and "This place in the list is gone" in text_of(answer)
    assert 'href="/people/"' in text_of(answer)


def test_names_are_no_order_for_readers_who_may_not_see_them(client_as: ClientAs) -> None:
    make_profile(name="Anna")
    assert "sort=-name" in text_of(client_as("Marketer").get("/people/?sort=name"))
    assert "sort=-name" not in text_of(client_as("Analyst").get("/people/?sort=name"))


def test_filters_narrow_and_can_be_taken_off(client_as: ClientAs) -> None:
    make_profile(name="Known Kim", email="kim@example.org")
    make_profile(name="Old Olga", email="olga@example.org", last_seen_at=timezone.now() - timedelta(days=50))
    make_profile()
    page = text_of(client_as("Marketer").get("/people/?identified=true&seen_in=30"))
    assert "Known Kim" in page
    assert "Old Olga" not in page
    assert "Visitor" not in page
    assert re.search(r'href="\?seen_in=30"[^>]*>Who: known people', page)


def test_joined_and_erased_people_are_not_listed(client_as: ClientAs) -> None:
    winner = make_profile(name="Winner")
    make_profile(name="Loser", merged_into=winner)
    make_profile(name="Erased", erased_at=timezone.now())
    page = text_of(client_as("Marketer").get("/people/"))
    assert "Winner" in page
    assert "Loser" not in page
    assert "Erased" not in page


def test_markup_in_a_name_is_shown_not_run(client_as: ClientAs) -> None:
    make_profile(name="<script>alert(1)</script>")
    page = text_of(client_as("Marketer").get("/people/"))
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page


def test_paging_shows_everybody_once(client_as: ClientAs) -> None:
    for index in range(120):
        make_profile(name=f"Person{index:03}", last_seen_at=timezone.now() - timedelta(minutes=index // 7))
    client, address, seen = client_as("Marketer"), "/people/", []
    while address:
        page = text_of(client.get(address))
        seen += re.findall(r"<span>(Person\d+)</span>", page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = "/people/" + following[1].replace("&amp;", "&") if following else ""
    assert sorted(seen) == [f"Person{index:03}" for index in range(120)]


def test_more_people_take_no_more_queries(client_as: ClientAs) -> None:
    client = client_as("Marketer")
    make_profile(name="One")
    client.get("/people/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get("/people/")
    for index in range(40):
        make_profile(name=f"Person {index}", email=f"p{index}@example.org")
    with CaptureQueriesContext(connection) as many:
        client.get("/people/")
    assert len(many) == len(few)


def test_the_export_is_for_those_who_may_and_is_logged(client_as: ClientAs) -> None:
    make_profile(name="Anna", email="anna@example.org")
    assert client_as("Analyst").get("/people/?export=csv").status_code == 403
    assert not AccessLog.objects.filter(action="profile.exported").exists()
    response = client_as("Marketer").get("/people/?export=csv")
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"))))
    assert rows[0]["Mail address"] == "anna@example.org"
    assert AccessLog.objects.get(action="profile.exported").detail["rows"] == 1


@pytest.mark.parametrize("name", ["=1+1", "+31", "-1", "@SUM(A1)", "\tx", '=HYPERLINK("http://x")'])
def test_a_name_is_never_a_formula_in_the_export(client_as: ClientAs, name: str) -> None:
    make_profile(name=name)
    response = client_as("Marketer").get("/people/?export=csv")
    row = next(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"))))
    assert row["Name"] == "'" + name


def test_the_search_box_finds_people_and_masks_them(client_as: ClientAs) -> None:
    person = make_profile(name="Anna de Vries", email="anna@example.org")
    page = text_of(client_as("Marketer").get("/search/?q=anna", headers={"HX-Request": "true"}))
    assert str(person.uuid) in page
    assert "Anna de Vries" in page
    masked = text_of(client_as("Analyst").get(f"/search/?q={person.uuid}"))
    assert f"/people/{person.uuid}/" in masked
    assert "anna@example.org" not in masked and "Anna" not in masked
    for guess in ("vries", "anna@example.org", str(person.uuid)[:-1]):
        assert f"/people/{person.uuid}/" not in text_of(client_as("Analyst").get(f"/search/?q={guess}"))
