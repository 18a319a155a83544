"""The lines to paste, taken from the page of a source as a person would."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from cdp.common.roles import ADMINISTRATOR
from profiles.models import Source
from profiles.processing.drain import drain_inbox
from profiles.querysets.live import events_of
from tests.live import Site
from tests.profiles.collector.endpoint import stored

_CODE = re.compile(r'<code id="snippet-([a-z-]+)">(.*?)</code>', re.DOTALL)


def lines_of_page(client_as: Callable[[str], Client], settings: Any, site: Site, kind: str) -> dict[str, str]:
    """Make a source on the page; return its lines to paste by their name, with the key and the site's address in."""
    settings.SITE_URL = site.url
    answer = client_as(ADMINISTRATOR).post(
        reverse("profiles:source_new"), {"name": f"Made for {kind}", "kind": kind, "allowed_origins": ""}
    )
    assert answer.status_code == 201
    found = {slug: html.unescape(code) for slug, code in _CODE.findall(answer.content.decode())}
    assert all(answer.context["new_key"] in code for code in found.values())
    return found


def events_received(source: Source | None = None) -> list[dict[str, Any]]:
    """Return every stored event with the endpoint that it came by, once all is processed."""
    while drain_inbox():
        pass
    rows = [raw for raw in stored() if source is None or raw.source_id == source.pk]
    return [{"endpoint": raw.endpoint, **event} for raw in rows for event in events_of(raw)]
