"""The browser SDKs, unchanged, in Chromium: every call, over a bad line, with the page reloaded in between; and that
nothing leaves for anybody else.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page

from profiles.models import Interaction, Source
from profiles.processing.drain import drain_inbox
from profiles.views.snippets import _FOR_BROWSER, snippets_for
from tests.live import REPOSITORY, Site
from tests.profiles.collector.endpoint import browser_source
from tests.sdks.calls import CALLS, ROUNDS, TICKS, Sdk, compare
from tests.sdks.exercise import judge_line, some_time_ago
from tests.sdks.line import FAULTS, Line, bad_line
from tests.sdks.setups import events_received, lines_of_page
from tests.sdks.table import note
from tests.shop import shop

pytestmark = pytest.mark.django_db(transaction=True)
ESBUILD = REPOSITORY / "node_modules" / "esbuild" / "bin" / "esbuild"
WAIT_SECONDS = 60

SNIPPET = Sdk("browser", "Website (the lines of the page)", own_ids=False, by_itself=len(ROUNDS), joins=False)
NPM = Sdk("npm", "@segment/analytics-next 1.84.3", own_ids=False, joins=False)
BATCHING = Sdk("npm-batching", "@segment/analytics-next 1.84.3, batching", own_ids=False, joins=False)
RUDDERSTACK = Sdk(
    "rudder-browser", "@rudderstack/analytics-js/bundled 3.34.1", frozenset({"screen"}), own_ids=False, joins=False
)
BEACON = Sdk(
    "rudder-beacon",
    "@rudderstack/analytics-js/bundled 3.34.1, useBeacon",
    frozenset({"screen"}),
    own_ids=False,
    joins=False,
)

PROGRAM = """([name, round, when, calls]) => {
  const user = `${name}-user-${round}`
  const common = (seconds) => {
    const at = new Date(Date.parse(when) + seconds * 1000)
    return { timestamp: at, originalTimestamp: at.toISOString(), context: { campaign: { name: "spring" } },
      campaign: { name: "spring" }, integrations: { All: true, Elsewhere: false } }
  }
  const a = window.analytics
  a.identify(user, { email: `${user}@example.org`, plan: "pro" }, common(0))
  a.track("Order Completed", { order_id: `o-${round}`, total: 89.5 }, common(1))
  a.page("Home", { name: "Home", path: `/${round}` }, common(2))
  if (calls.includes("screen")) a.screen("Cart", { lines: 2 }, common(3))
  a.group("acme", { name: "Acme" }, common(4))
  a.alias(user, `${name}-old-${round}`, common(5))
  a.track("Again", {}, common(6))
  for (let tick = 0; tick < 10; tick++) a.track(`Tick ${tick}`, {}, common(10 + tick))
}"""

#: until then calls wait in a list, and the libraries take page views out of it before the others: they would be the
#: person's of before the reload
LOADED = {
    "browser": "new Promise((done) => analytics.ready(() => done(true)))",
    "npm": "analytics.ready().then(() => true)",
    "npm-batching": "analytics.ready().then(() => true)",
    "rudder-browser": "new Promise((done) => analytics.ready(() => done(true)))",
    "rudder-beacon": "new Promise((done) => analytics.ready(() => done(true)))",
}
PACKAGES = {
    "npm": """
        import { AnalyticsBrowser } from "@segment/analytics-next"
        window.analytics = AnalyticsBrowser.load({ writeKey: "<<KEY>>", cdnURL: "<<SITE>>" }, { useQueryString: false })
    """,
    "npm-batching": """
        import { AnalyticsBrowser } from "@segment/analytics-next"
        const deliveryStrategy = { strategy: "batching", config: { size: 5, timeout: 500 } }
        window.analytics = AnalyticsBrowser.load(
          { writeKey: "<<KEY>>", cdnURL: "<<SITE>>" }, { integrations: { "Segment.io": { deliveryStrategy } } },
        )
    """,
    "rudder-browser": """
        import { RudderAnalytics } from "@rudderstack/analytics-js/bundled"
        window.analytics = new RudderAnalytics()
        window.analytics.load("<<KEY>>", "<<SITE>>", { configUrl: "<<SITE>>" })
    """,
    "rudder-beacon": """
        import { RudderAnalytics } from "@rudderstack/analytics-js/bundled"
        window.analytics = new RudderAnalytics()
        window.analytics.load("<<KEY>>", "<<SITE>>", { configUrl: "<<SITE>>", useBeacon: true })
    """,
}


def bundled(code: str, folder: Path) -> str:
    """Return a script element with `code` and all that it imports, as a site's own build makes it."""
    entry = folder / "entry.js"
    entry.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [str(ESBUILD), str(entry), "--bundle", "--format=iife", "--log-level=error"],
        cwd=REPOSITORY,
        env={"NODE_PATH": str(REPOSITORY / "node_modules"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return "<script>" + done.stdout.replace("</script", "<\\/script") + "</script>"


@dataclass
class Visit:
    """One SDK in a page of its own."""

    sdk: Sdk
    source: Source
    line: Line
    url: str
    page: Page
    hosts: set[str]

    def call_everything(self, round: int, when: datetime) -> None:
        """Make every call."""
        calls = [call for call in CALLS if call not in self.sdk.missing]
        moment = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.page.evaluate(PROGRAM, [self.sdk.name, round, moment, calls])

    @property
    def sent_in_a_round(self) -> int:
        """Return how many messages a round has."""
        return len(CALLS) - len(self.sdk.missing) + TICKS + 1 + self.sdk.by_itself // len(ROUNDS)

    def arrived(self) -> int:
        """Return how many messages are stored."""
        return Interaction.objects.filter(source_id=self.source.pk).count()


@contextmanager
def visit(browser: Browser, sdk: Sdk, html: str, source: Source, line: Line) -> Iterator[Visit]:
    """Open a page of a shop with `html` in a browser profile of its own."""
    context: BrowserContext = browser.new_context()
    hosts: set[str] = set()
    with shop(f"<html><head>{html}</head></html>") as url:
        page = context.new_page()
        page.on("request", lambda request: hosts.add(httpx.URL(request.url).netloc.decode()))
        page.goto(url)
        yield Visit(sdk, source, line, url, page, hosts)
        context.close()


def _html_of(sdk: Sdk, source: Source, key: str, line: Line, folder: Path) -> str:
    if sdk is SNIPPET:
        return next(item.code for item in snippets_for(source, key) if item.slug == "browser")
    return bundled(PACKAGES[sdk.name].replace("<<KEY>>", key).replace("<<SITE>>", line.url), folder)


def test_sent_equals_stored_and_nothing_leaves_for_anybody_else(
    browser: Browser, site: Site, settings: Any, tmp_path: Path
) -> None:
    when = some_time_ago()
    wrong: dict[str, Any] = {}
    with ExitStack() as stack:
        visits = []
        for sdk in (SNIPPET, NPM, BATCHING, RUDDERSTACK, BEACON):
            source, key = browser_source(name=sdk.title)
            # Nobody learns what became of a beacon, so none is sent again.
            line = stack.enter_context(bad_line(site.url, () if sdk is BEACON else FAULTS))
            settings.SITE_URL = line.url
            html = _html_of(sdk, source, key, line, tmp_path)
            visits.append(stack.enter_context(visit(browser, sdk, html, source, line)))
        for round in ROUNDS:
            for one in visits:
                if round > 1:
                    one.page.reload()  # what was not delivered yet waits in the browser's storage
                    one.page.evaluate(LOADED[one.sdk.name])
                one.call_everything(round, when)
                if one.sdk is BEACON and round == ROUNDS[-1]:
                    one.page.reload()  # beacons go ten at a time, and when the page is left
        _wait_for(visits)
        for one in visits:
            findings = compare(one.sdk, one.source, when)
            judge_line(findings, one.line, () if one.sdk is BEACON else FAULTS)
            hosts = one.hosts - {httpx.URL(one.url).netloc.decode(), httpx.URL(one.line.url).netloc.decode()}
            findings.words["other hosts"] = f"asked {sorted(hosts)}" if hosts else "ok"
            note(findings)
            if findings.wrong:
                wrong[one.sdk.name] = findings.wrong
    assert wrong == {}


def _wait_for(visits: list[Visit]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        while drain_inbox():
            pass
        if all(one.arrived() >= one.sent_in_a_round * len(ROUNDS) for one in visits):
            return
        visits[0].page.wait_for_timeout(200)


def test_the_lines_of_the_page_run_as_they_are(
    browser: Browser, site: Site, client_as: Callable[[str], Client], settings: Any, tmp_path: Path
) -> None:
    lines = lines_of_page(client_as, settings, site, "browser")
    assert set(lines) == {slug for slug, _title, _note in _FOR_BROWSER}
    for slug, code in lines.items():
        before = len(events_received())
        html = code if slug == "browser" else bundled(code, tmp_path)
        expected = ["page"] if slug == "browser" else ["identify", "track"]
        with visit(browser, Sdk(slug, slug), html, Source.objects.get(name="Made for browser"), Line(site.url)) as one:
            end = time.monotonic() + WAIT_SECONDS
            while len(events_received()) < before + len(expected) and time.monotonic() < end:
                one.page.wait_for_timeout(100)
            one.page.wait_for_timeout(1000)
            kinds = sorted(event.get("type") or event["endpoint"] for event in events_received()[before:])
            assert kinds == expected, slug
            assert one.hosts == {httpx.URL(one.url).netloc.decode(), httpx.URL(site.url).netloc.decode()}, slug
