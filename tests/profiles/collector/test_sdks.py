"""The SDKs themselves, unchanged, against the real web process: what they report, and what was stored."""

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


def run_node(code: str, **values: str) -> str:
    return _run(["node", "--input-type=module", "-e", textwrap.dedent(code)], values)


def _run(command: list[str], values: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, **values}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_segment_for_python(site: Site) -> None:
    _source, key = server_source()
    out = run_python(
        """
        import os, datetime
        import segment.analytics as analytics
        errors = []
        analytics.write_key, analytics.host = os.environ["KEY"], os.environ["SITE"]
        analytics.on_error = lambda error, batch: errors.append(str(error))
        analytics.identify("u1", {"email": "anna@example.org", "born": datetime.date(1990, 1, 2)})
        analytics.track("u1", "Order Completed", {"total": 89.0})
        analytics.page(anonymous_id="a1", name="Home")
        analytics.group("u1", "g1", {"name": "Company"})
        analytics.alias("old", "u1")
        analytics.flush()
        print("errors", errors)
        """,
        KEY=key,
        SITE=site.url,
    )
    assert out.strip() == "errors []"
    assert [event["type"] for event in received()] == ["identify", "track", "page", "group", "alias"]
    assert key.encode() not in b"".join(bytes(raw.body) for raw in stored())


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


def test_rudderstack_for_python(site: Site) -> None:
    _source, key = server_source()
    out = run_python(
        """
        import os
        import rudderstack.analytics as analytics
        errors = []
        analytics.write_key, analytics.dataPlaneUrl = os.environ["KEY"], os.environ["SITE"]
        analytics.on_error = lambda error, items: errors.append(str(error))
        analytics.identify("u1", {"email": "anna@example.org"})
        analytics.track("u1", "Order Completed", {"total": 89.0})
        analytics.flush()
        print("errors", errors)
        """,
        KEY=key,
        SITE=site.url,
    )
    assert out.strip() == "errors []"
    identify, track = received()
    assert identify["context"]["traits"] == {"email": "anna@example.org"}
    assert track["event"] == "Order Completed"


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


def test_segment_for_node(site: Site) -> None:
    _source, key = server_source()
    out = run_node(
        """
        import { Analytics } from "@segment/analytics-node"
        const analytics = new Analytics({ writeKey: process.env.KEY, host: process.env.SITE, path: "/v1/batch" })
        const errors = []
        analytics.on("error", (error) => errors.push(error.code))
        analytics.identify({ userId: "u1", traits: { email: "anna@example.org" } })
        analytics.track({ userId: "u1", event: "Order Completed", properties: { total: 89 } })
        analytics.page({ anonymousId: "a1", name: "Home" })
        await analytics.closeAndFlush()
        console.log("errors", errors.length)
        """,
        KEY=key,
        SITE=site.url,
    )
    assert out.strip() == "errors 0"
    assert sorted(event["type"] for event in received()) == ["identify", "page", "track"]


def test_rudderstack_for_node(site: Site) -> None:
    _source, key = server_source()
    run_node(
        """
        import Analytics from "@rudderstack/rudder-sdk-node"
        const analytics = new Analytics(process.env.KEY, { dataPlaneUrl: process.env.SITE, path: "/v1/batch" })
        analytics.identify({ userId: "u1", traits: { email: "anna@example.org" } })
        analytics.track({ userId: "u1", event: "Order Completed", properties: { total: 89 } })
        await new Promise((resolve) => analytics.flush(resolve))
        """,
        KEY=key,
        SITE=site.url,
    )
    assert sorted(event["type"] for event in received()) == ["identify", "track"]
    assert all(event["originalTimestamp"] for event in received())


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
