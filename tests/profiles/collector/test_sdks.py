"""What SDKs do beyond their calls, which tests/sdks has: compression, giving up, and links made to mislead them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

import httpx
import pytest
from django.conf import settings
from playwright.sync_api import Page

from profiles.models import RawMessage
from profiles.querysets.live import events_of
from profiles.views.snippets import snippets_for
from tests.live import REPOSITORY, Site
from tests.profiles.collector.endpoint import browser_source, server_source, stored
from tests.shop import shop

pytestmark = pytest.mark.django_db(transaction=True)


def received() -> list[dict[str, Any]]:
    """Return every stored event with the endpoint that it came by."""
    return [{"endpoint": raw.endpoint, **event} for raw in stored() for event in events_of(raw)]


def run_python(code: str, **values: str) -> str:
    return _run([sys.executable, "-c", textwrap.dedent(code)], values)


def _run(command: list[str], values: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, **values}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("gzip", ["True", "False"])
def test_segment_for_python_compressed_or_not(site: Site, gzip: str) -> None:
    _source, key = server_source()
    run_python(
        """
        import os
        from segment.analytics.client import Client
        client = Client(os.environ["KEY"], host=os.environ["SITE"], gzip=os.environ["GZIP"] == "True")
        for number in range(250):
            client.track("u1", "E", message_id=f"m{number}")
        client.flush()
        """,
        KEY=key,
        SITE=site.url,
        GZIP=gzip,
    )
    assert {event["messageId"] for event in received()} == {f"m{number}" for number in range(250)}


def test_rudderstack_for_python_gives_up_at_once_on_a_wrong_key(site: Site) -> None:
    out = run_python(
        """
        import os
        from rudderstack.analytics.request import APIError, post
        try:
            post("nonsense", os.environ["SITE"], batch=[])
        except APIError as error:
            print(error)
        """,
        SITE=site.url,
    )
    assert "invalid_key" in out


def host_of(url: str) -> str:
    return httpx.URL(url).netloc.decode()


def wait_for_events(page: Page, count: int) -> list[dict[str, Any]]:
    for _ in range(100):
        events = received()
        if len(events) >= count:
            return events
        page.wait_for_timeout(100)
    raise AssertionError(f"{len(received())} of {count} events came")


def test_the_served_snippet_in_a_browser_sends_to_us_and_to_nobody_else(page: Page, site: Site, client_as: Any) -> None:
    source, key = browser_source()
    snippet = _snippet(source, key, site)
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(host_of(request.url)))
    with shop(f"<html><head>{snippet}</head></html>") as url:
        # A hostile link: whoever follows it must not become u-evil.
        page.goto(url + "?ajs_uid=u-evil&ajs_event=Hacked")
        page.evaluate("analytics.identify('u1', {email: 'anna@example.org'})")
        page.evaluate("analytics.track('Product Viewed', {price: 19.95})")
        events = wait_for_events(page, 3)
        page.wait_for_timeout(1000)
    assert sorted(event["endpoint"] for event in events) == ["identify", "page", "track"]
    assert "u-evil" not in {event.get("userId") for event in events}
    assert {raw.source_id for raw in RawMessage.objects.all()} == {source.pk}
    assert hosts == {host_of(url), host_of(site.url)}, "nothing goes to anybody else"


def _snippet(source: Any, key: str, site: Site) -> str:
    code = next(snippet.code for snippet in snippets_for(source, key) if snippet.slug == "browser")
    return code.replace(settings.SITE_URL, site.url)
