"""The page of a source while somebody sets it up: it turns by itself when the first event comes in, and names it."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from cdp.common.roles import MARKETER
from tests.live import Site
from tests.profiles.collector.endpoint import server_source

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_page_turns_by_itself_and_names_the_event(page_as: Callable[[str], Page], site: Site) -> None:
    source, key = server_source()
    page = page_as(MARKETER)
    page.goto(f"/sources/{source.slug}/")
    expect(page.get_by_text("Waiting for the first event")).to_be_visible()
    httpx.post(f"{site.url}/v1/track", json={"userId": "u1", "event": "Till Opened"}, auth=(key, "")).raise_for_status()
    expect(page.get_by_role("status").filter(has_text="The first event came in: Till Opened (track)")).to_be_visible()
    wrong = httpx.post(f"{site.url}/v2/track", json={}, headers={"user-agent": "analytics-python/1.4"})
    assert (wrong.status_code, wrong.json()["code"]) == (404, "not_found")
    for _ in range(30):
        page.goto("/sources/")
        if page.locator("#refused").count():
            break
        page.wait_for_timeout(200)
    card = page.locator("#refused")
    expect(card.get_by_text("/v2/track")).to_be_visible()
    expect(card.get_by_text("analytics-python/1.4")).to_be_visible()
