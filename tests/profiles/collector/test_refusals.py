"""Requests that were refused are counted as what they are, in bounded memory and rows, and hold nobody's secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.urls import URLResolver, get_resolver

from profiles.collector import refusals
from profiles.collector.errors import Refusal
from profiles.collector.refusals import MAX_KINDS, MAX_ROWS, Refusals, shown_path
from profiles.collector.routes import is_collection_path, nearest_address, route_of
from profiles.models import RefusedRequest
from profiles.refusals import REFUSALS
from profiles.services.sources import set_enabled
from tests.profiles.collector.endpoint import EVENT, at_the_door, browser_source, server_source

AGENT = {"user-agent": "analytics-python/1.4"}


@pytest.mark.django_db(transaction=True)
def test_a_wrong_path_key_and_page_are_counted_as_what_they_are() -> None:
    off, off_key = server_source()
    set_enabled(source_id=off.pk, enabled=False)
    listed, listed_key = browser_source(allowed_origins=["https://www.example.org"])
    wrong = "kb_sec_" + "a1B2" * 10

    async def visit(client: httpx.AsyncClient) -> None:
        for _ in range(3):
            await client.post("/v2/track", json=EVENT, auth=(off_key, ""), headers=AGENT)
        await client.post("/v1/track", json=EVENT, auth=(wrong, ""), headers=AGENT)
        await client.post("/v1/track", json=EVENT, auth=(off_key, ""), headers=AGENT)
        await client.post("/v1/batch", content=b"{", auth=(listed_key, ""), headers=AGENT)
        outside = {**AGENT, "origin": "https://shop.example"}
        await client.post("/v1/track", json=EVENT, auth=(listed_key, ""), headers=outside)
        await client.options("/v1/track", headers=outside)
        await client.post("/v1/track", json=EVENT, auth=(listed_key, ""), headers=AGENT)

    at_the_door(visit)
    rows = {
        (row.code, row.source_id, row.path, row.origin, row.key_start): row.count
        for row in RefusedRequest.objects.filter(user_agent="analytics-python/1.4")
    }
    assert rows == {
        ("not_found", None, "/v2/track", "", ""): 3,
        ("invalid_key", None, "/v1/track", "", "kb_sec_a1B2…"): 1,
        ("invalid_json", listed.pk, "/v1/batch", "", ""): 1,
        ("source_disabled", off.pk, "/v1/track", "", ""): 1,
        ("origin_not_allowed", listed.pk, "/v1/track", "https://shop.example", ""): 1,
        ("origin_not_allowed", None, "/v1/track", "https://shop.example", ""): 1,
    }


@pytest.mark.django_db(transaction=True)
def test_made_up_paths_and_agents_fill_neither_memory_nor_table_nor_hide_what_goes_on() -> None:
    steady = {"user-agent": "analytics-go/3.0"}

    async def visit(client: httpx.AsyncClient) -> None:
        for number in range(1200):
            await client.post(f"/v2/{number}", headers={"user-agent": f"agent-{number}"})
            if number % 50 == 0:
                await client.post("/v2/batch", headers=steady)

    at_the_door(visit)
    assert RefusedRequest.objects.count() <= MAX_ROWS + 1
    assert RefusedRequest.objects.get(path="/v2/batch").count == 24
    assert sum(RefusedRequest.objects.values_list("count", flat=True)) == 1224


def test_memory_is_bounded_between_two_flushes() -> None:
    noted = Refusals()
    for number in range(5000):
        noted.note(Refusal(404, "not_found", ""), f"/v2/{number}", {b"user-agent": b"x" * 5000}, 0.0)
    assert len(noted._tallies) <= MAX_KINDS + 1
    assert sum(tally.count for tally in noted._tallies.values()) == 5000


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v2/track", "/v2/track"),
        ("/v1/projects/kb_pub_abcdefghijklmnopqrstuvwxyz/settings", "/v1/projects/kb_pub_abcd…/settings"),
        ("/v1/users/anna@example.org", "/v1/users/…"),
        ("/v1/users/31612345678", "/v1/users/…"),
        ("/v1/" + "s3cr3t" * 8, "/v1/s3cr…"),
        ("/v1/a\nb\x00", "/v1/ab"),
        ("/" + "ab/" * 900, ("/" + "ab/" * 900)[:120]),
    ],
)
def test_nothing_of_a_path_is_kept_that_may_be_a_key_or_a_person(path: str, shown: str) -> None:
    assert shown_path(path) == shown


def test_what_is_the_servers_own_trouble_is_not_held_against_senders() -> None:
    noted = Refusals()
    for status, code in ((503, "not_stored"), (429, "rate_limited"), (408, "body_too_slow")):
        noted.note(Refusal(status, code, ""), "/v1/batch", {}, 0.0)
    assert not noted._tallies


def test_every_refusal_of_the_collector_has_words() -> None:
    folder = Path(refusals.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    raised = {code for status, code in re.findall(r'Refusal\(\s*(4\d\d),\s*"(\w+)"', text)}
    assert raised - refusals._NOT_COUNTED <= set(REFUSALS)


def test_sdks_that_miss_an_address_by_a_word_are_told_which() -> None:
    assert nearest_address("/v2/track") == nearest_address("/track/") == "/v1/track"
    assert nearest_address("/v1/v1/batch") == "/v1/batch"
    assert nearest_address("/v1/nonsense") == nearest_address("/v2/b") == ""
    assert route_of("//v1/batch") == route_of("/v1/batch"), "a host given with a slash at its end"


def test_no_page_of_ours_is_taken_by_the_collector() -> None:
    def addresses(resolver: URLResolver, before: str = "/") -> Iterator[str]:
        for entry in resolver.url_patterns:
            here = before + str(entry.pattern).lstrip("^")
            if isinstance(entry, URLResolver):
                yield from addresses(entry, here)
            else:
                yield here

    ours = set(addresses(get_resolver()))
    assert "/sources/" in ours
    assert not {address for address in ours if is_collection_path(address)}
