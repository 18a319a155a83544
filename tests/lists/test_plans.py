"""No page and no answer reads a large table without bound: neither to count, nor to sort, nor for want of an index."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cdp.mailbox.store import MailStore
from segments.rules.nodes import Moment
from segments.rules.sliding_windows import Edge
from segments.sweeping import crossed
from tests.lists.crowd import multiply
from tests.lists.places import ROLE, admin_places, api_places, page_places, superuser, token
from tests.lists.plans import unbounded_reads
from tests.lists.test_walks import make_rest
from tests.scenarios.matrix import API, NEVER, PAGES
from tests.scenarios.walk import address, api_arguments, browser_of, routes
from tests.scenarios.world import make_world

#: pages that may read more, with the reason
MAY_READ = {
    "campaigns:forecast": "asks the gate about everybody of the audience; shown after the page, within a time limit",
    "campaigns:forecast_people": "the people of one line of the forecast",
    "campaigns-report": "the same by the API",
    "campaigns:progress": "the report of a campaign that is being sent adds up exactly: an index-only count of it",
}


#: the lines of home count by day, but only after a capped count said that there is little to count
BY_DAY = re.compile(r"_at. AT TIME ZONE '[^']+'\)::date AS .day")


@pytest.fixture
def world(db: None, settings: Any, tmp_path: Any, caplog: Any) -> dict[str, Any]:
    """One of everything, and some more of what is large."""
    caplog.set_level(logging.CRITICAL)
    settings.VAR_DIR = tmp_path
    settings.CAPTURE_MAIL = True
    cache.clear()
    made = make_world(MailStore(tmp_path / "mailbox"))
    make_rest()
    large = ("profiles_profile", "profiles_interaction", "campaigns_delivery", "consent_consentrecord")
    for table in (*large, "consent_consentstate"):
        multiply(table, 260)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO consent_consentevidence (record_id, identifier_id, salt) SELECT id, identifier_id, '' "
            "FROM consent_consentrecord WHERE id NOT IN (SELECT record_id FROM consent_consentevidence)"
        )
        # Not the whole database: that would lock what all databases of the server share until the test ends.
        cursor.execute("SET LOCAL lock_timeout = '60s'")  # autovacuum may be at one of the tables
        cursor.execute(f"ANALYZE {', '.join(connection.introspection.table_names(cursor))}")
    return made


def test_no_list_reads_more_than_its_page(world: dict[str, Any]) -> None:
    faults = []
    for place in (*api_places(world), *page_places(world), *admin_places(world)):
        client = superuser() if place.kind == "admin" else browser_of(ROLE)
        headers = token() if place.kind == "api" else {}
        first = client.get(place.url, headers=headers)
        if place.kind == "api":
            following = first.json()["next"]
        elif place.kind == "page":
            following = (page := first.context["page"]).next and f"{place.url}?at={page.next}"
        else:
            following = first.context["cl"].next_query and f"{place.url}{first.context['cl'].next_query}"
        for url in filter(None, (place.url, following)):
            faults += [f"{place.name}: {fault}" for fault in reads_of(client, url, headers)]
    assert not faults, "\n".join(faults)


def test_no_page_counts_or_sorts_a_large_table(world: dict[str, Any]) -> None:
    client = browser_of(ROLE)
    faults = []
    for name, _pattern, route in routes():
        if PAGES.get(name, (NEVER,))[0] == NEVER or name in MAY_READ:
            continue
        faults += [f"{name}: {fault}" for fault in reads_of(client, address(name, route, world), {})]
    headers = token()
    for name, methods in API.items():
        if "GET" in methods and name not in MAY_READ:
            faults += [f"{name}: {fault}" for fault in reads_of(client, api_address(name, world), headers)]
    assert not faults, "\n".join(faults)


def api_address(name: str, world: dict[str, Any]) -> str:
    return reverse(name, args=api_arguments(name, world))


def test_a_sweep_finds_whose_window_moved_by_an_index(world: dict[str, Any]) -> None:
    before = Moment(datetime(2026, 3, 1, 12, tzinfo=UTC), ZoneInfo("UTC"))
    now = Moment(datetime(2026, 3, 1, 12, 1, tzinfo=UTC), ZoneInfo("UTC"))
    for kind in ("first", "last", "event"):
        with CaptureQueriesContext(connection) as queries:
            crossed(frozenset([Edge(kind, "E", 30)]), before, now)
        assert "LIMIT" in queries[0]["sql"]
        assert not unbounded_reads(queries, BY_DAY), kind


def reads_of(client: Client, url: str, headers: dict[str, str]) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url, headers=headers)
        assert answer.status_code < 500 or answer.status_code == 503, url
    return unbounded_reads(queries, BY_DAY)
