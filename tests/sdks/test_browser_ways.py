"""The ways in which a browser can send across origins, in a real browser: each arrives, or is documented not to."""

from __future__ import annotations

import base64
import json
import time

import httpx
import pytest
from playwright.sync_api import Page

from profiles.models import RawMessage
from profiles.services.sources import update_source
from tests.live import Site
from tests.profiles.collector.endpoint import browser_source
from tests.shop import shop

pytestmark = pytest.mark.django_db(transaction=True)

_AUTH = "headers: {authorization: auth}"
WAYS = {
    "beacon of text": "navigator.sendBeacon(url + '?writeKey=' + key, body)",
    "beacon of JSON": "navigator.sendBeacon(url + '?writeKey=' + key, new Blob([body], {type: 'application/json'}))",
    "fetch with cookies": f"fetch(url, {{method: 'POST', body, credentials: 'include', {_AUTH}}})",
    "fetch without": f"fetch(url, {{method: 'POST', body, credentials: 'omit', {_AUTH}}})",
    "fetch that outlives the page": "fetch(url, {method: 'POST', body, keepalive: true})",
}


def test_what_arrives_from_a_page_of_another_origin(page: Page, site: Site) -> None:
    sources = {listed: browser_source(name=f"listed {listed}") for listed in (True, False)}
    with shop("<html></html>") as url, shop("<html></html>") as elsewhere:
        _list_origin(sources[True][0].pk, url.rstrip("/"), site)
        _try_all(page, url, site, sources[True][1])
        _try_all(page, elsewhere, site, sources[False][1])
        page.wait_for_timeout(500)
    assert _arrived(sources[True][0].pk) == set(WAYS)
    assert _arrived(sources[False][0].pk) == set(WAYS) - {"beacon of JSON", "fetch with cookies"}


def _try_all(page: Page, url: str, site: Site, key: str) -> None:
    page.goto(url)
    for way, code in WAYS.items():
        body = {"writeKey": key, "batch": [{"type": "track", "event": way, "anonymousId": "a1"}]}
        page.evaluate(
            f"async ([url, key, auth, body]) => {{ try {{ await {code} }} catch {{}} }}",
            [f"{site.url}/beacon/v1/batch", key, "Basic " + _base64(key + ":"), json.dumps(body)],
        )
    page.wait_for_timeout(500)  # nobody learns what became of a beacon


def _arrived(source_id: int) -> set[str]:
    rows = RawMessage.objects.filter(source_id=source_id)
    return {json.loads(bytes(raw.body))["batch"][0]["event"] for raw in rows}


def _list_origin(source_id: int, origin: str, site: Site) -> None:
    update_source(source_id=source_id, name="Shop", allowed_origins=[origin])
    for _ in range(50):  # the collector hears of it within a moment
        headers = httpx.options(f"{site.url}/v1/batch", headers={"origin": origin}).headers
        if "access-control-allow-credentials" in headers:
            return
        time.sleep(0.1)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
