"""Every list of the product, found and not named: pages, API and staff site; and how to walk one to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from cdp.common.keyset import Page
from cdp.common.models import ApiToken
from tests.scenarios.installation import user_of
from tests.scenarios.matrix import API, NEVER, PAGES
from tests.scenarios.walk import address, api_arguments, browser_of, routes

ROLE = "Administrator"
#: API list -> the table that it shows
TABLES = {
    "profiles-list": "profiles_profile",
    "profiles-interactions": "profiles_interaction",
    "interactions-list": "profiles_interaction",
    "sources-list": "profiles_source",
    "exports-list": "profiles_export",
    "catalogue-list": "profiles_catalogueentry",
    "rejected-events-list": "profiles_rejectedmessage",
    "erasures-list": "consent_erasure",
    "imports-list": "profiles_import",
    "imports-rows": "profiles_importrow",
    "consent-records-list": "consent_consentrecord",
    "purposes-list": "consent_purpose",
    "purposes-versions": "consent_purposeversion",
    "suppression-list": "consent_suppression",
    "segments-list": "segments_segment",
    "segments-members": "segments_membership",
    "segments-changes": "segments_membershipchange",
    "lists-list": "segments_segment",
    "lists-members": "segments_membership",
    "messages-list": "campaigns_message",
    "campaigns-list": "campaigns_campaign",
    "deliveries-list": "campaigns_delivery",
}
#: answers with all rows at once: of one person
SHORT = {"permissions-detail"}
#: lists of pages whose rows are no rows of a table
PAGE_TABLES = {"profiles:import_rows": "profiles_importrow"}


@dataclass(frozen=True)
class Place:
    """A list: how it is called, where it is, and the table that it shows."""

    name: str
    url: str
    table: str
    kind: str  # api | page | admin


def api_places(world: dict[str, Any]) -> Iterator[Place]:
    """Yield every list of the REST API."""
    client, headers = Client(), token()
    for name, methods in API.items():
        if "GET" not in methods:
            continue
        url = reverse(name, args=api_arguments(name, world))
        body = client.get(url, headers=headers).json()
        if isinstance(body, list) or (isinstance(body, dict) and "results" in body):
            assert name in TABLES or name in SHORT, f"{name}: say which table this list shows"
            if name in TABLES:
                assert set(body) == {"next", "previous", "results"}, f"{name} is paged in another way"
                yield Place(name, url, TABLES[name], "api")


def page_places(world: dict[str, Any]) -> Iterator[Place]:
    """Yield every page with a list in pages."""
    client = browser_of(ROLE)
    for name, _pattern, route in routes():
        if PAGES.get(name, (NEVER,))[0] == NEVER:
            continue
        url = address(name, route, world)
        page = (client.get(url).context or {}).get("page")
        if isinstance(page, Page):
            assert page.rows, f"{name} has no row to multiply"
            yield Place(name, url, PAGE_TABLES.get(name) or page.rows[0]._meta.db_table, "page")


def admin_places(_world: dict[str, Any]) -> Iterator[Place]:
    """Yield every list of the staff site."""
    for model in admin.site._registry:
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield Place(f"admin {model._meta.label}", url, model._meta.db_table, "admin")


def token() -> dict[str, str]:
    """Return the headers of an API token."""
    return {"Authorization": f"Bearer {ApiToken.issue(user=user_of(ROLE), name='walk')[1]}"}


def walk(place: Place, between: Callable[[], None]) -> list[Any]:
    """Return what names each row of a list, from its first page to its last; `between` is called before each next."""
    found: list[Any] = []
    client = browser_of(ROLE) if place.kind != "admin" else superuser()
    if place.kind == "api":
        headers = token()
        url = f"{place.url}?limit=200"
        while url:
            answer = client.get(url, headers=headers)
            assert answer.status_code == 200, (place, answer.content[:300])
            found += [name_of(row) for row in answer.json()["results"]]
            between()
            url = answer.json()["next"]
        return found
    query: str = "?"
    while query:
        answer = client.get(f"{place.url}{query}")
        assert answer.status_code == 200, (place, answer.status_code)
        if place.kind == "page":
            page = answer.context["page"]
            following = f"?at={page.next}" if page.next else ""
        else:
            shown = answer.context["cl"]
            page, following = shown.page, shown.next_query
        found += [row.pk for row in page.rows]
        between()
        query = following
    return found


def superuser() -> Client:
    """Return a browser of somebody who may see everything of the staff site."""
    client = Client()
    user, _made = User.objects.get_or_create(username="root", is_superuser=True, is_staff=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def name_of(row: dict[str, Any]) -> Any:
    """Return what names a row of an answer."""
    return next(row[key] for key in ("id", "line", "version", "profile_id") if key in row)
