"""What several stories do alike: send with an SDK, make a purpose, take a picture of a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page
from segment.analytics.client import Client

from profiles.services.sources import create_source
from tests.scenarios.installation import Installation, eventually

#: where to keep pictures of the pages that the stories pass, for people to look at; unset: nowhere
PICTURES = os.environ.get("SCENARIO_PICTURES", "")
WIDTHS = (390, 1280)


@contextmanager
def sdk(installation: Installation, name: str) -> Iterator[Client]:
    """Give the Python SDK with the key of a new server source; at the end, everything was sent and taken."""
    _source, key = create_source(name=name, kind="server")
    troubles: list[str] = []
    client = Client(key, host=installation.url, on_error=lambda error, _batch: troubles.append(str(error)))
    yield client
    client.shutdown()
    assert troubles == []


def taken(answer: httpx.Response, status: int = 200) -> Any:
    """Return the JSON of an answer that must have this status."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text[:2000]}"
    return answer.json() if answer.content else None


def find_person(api: httpx.Client, address: str) -> dict[str, Any]:
    """Return the person with a mail address, as soon as there is one."""

    def look() -> dict[str, Any] | None:
        found = taken(api.get("profiles/", params={"search": address}))["results"]
        return found[0] if found else None

    person: dict[str, Any] = eventually(look, f"a person with {address}")
    return person


def make_purpose(api: httpx.Client, name: str) -> str:
    """Make a purpose with its words; return its short name."""
    purpose = taken(api.post("purposes/", json={"name": name, "description": f"{name} by mail"}), 201)
    words = {"text": f"Yes, send me {name}", "language": "en"}
    taken(api.post(f"purposes/{purpose['id']}/texts/", json=words), 201)
    return str(purpose["id"])


def say(api: httpx.Client, profile: str, purpose: str, state: str) -> None:
    """Record what a person said on a form, with the words they saw."""
    said = {"profile_id": profile, "purpose_id": purpose, "state": state, "method": "form", "text_version": 1}
    taken(api.post("consent-records/", json={**said, "evidence": {"page_url": "https://shop.example/join"}}), 201)


def until(page: Page, shown: Callable[[], bool], what: str) -> None:
    """Load the page again until it shows something, as a person would who waits for news."""

    def look() -> bool:
        page.reload()
        return shown()

    eventually(look, what)


def fits(page: Page, name: str, widths: Iterable[int] = WIDTHS) -> None:
    """Hold the page to fit a phone and a desk; keep a picture of it when asked to."""
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{page.url} is {wide} px wider than {width}"
