"""Filters are declared once for pages, API and staff site; what is no filter is refused, never ignored."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import get_resolver, reverse

from cdp.common.filters import ListFilters
from cdp.common.lists import ListPage
from cdp.common.service_admin import ServiceAdmin
from cdp.mailbox.store import MailStore
from tests.lists.places import ROLE, Place, api_places, page_places, superuser, token
from tests.scenarios.walk import browser_of, routes
from tests.scenarios.world import make_world


@pytest.fixture
def world(db: None, settings: Any, tmp_path: Any, caplog: Any) -> dict[str, Any]:
    """One of everything."""
    caplog.set_level(logging.CRITICAL)
    settings.VAR_DIR = tmp_path
    settings.CAPTURE_MAIL = True
    return make_world(MailStore(tmp_path / "mailbox"))


def filters_of(place: Place) -> type[ListFilters]:
    """Return what the view of a list declares."""
    match = get_resolver().resolve(place.url)
    view: Any = match.func
    if place.kind == "page":
        return getattr(getattr(view, "view_class", None), "filters", ListFilters)
    found = view.initkwargs.get("filterset_class") or getattr(view.cls, "filterset_class", None)
    return found or ListFilters


def asked(filters: type[ListFilters]) -> list[tuple[str, str]]:
    """Return every filter with a value, and every choice of those that have some."""
    form = filters({}).form
    tries = []
    for name, field in form.fields.items():
        choices = [str(value) for value, _label in getattr(field, "choices", ()) if value != ""]
        tries += [(name, value) for value in choices or ["1", "x y"]]
    return [(name, value) for name, value in tries if name != "search" or filters.searchable()]


def test_every_choice_of_every_filter_is_answered(world: dict[str, Any]) -> None:
    client, headers, faults, count = browser_of(ROLE), token(), [], 0
    for place in (*api_places(world), *page_places(world)):
        for name, value in asked(filters_of(place)):
            count += 1
            parameter = "q" if place.kind == "page" and name == "search" else name
            answer = client.get(place.url, {parameter: value}, headers=headers if place.kind == "api" else {})
            sensible = (200, 400) if value in ("1", "x y") and place.kind == "api" else (200,)
            if answer.status_code not in sensible:
                faults.append(f"{place.name} ?{name}={value}: {answer.status_code}")
    assert count > 80 and not faults, "\n".join(faults)


def test_the_api_refuses_what_is_no_filter_and_what_makes_no_sense(world: dict[str, Any]) -> None:
    client, headers, faults = Client(), token(), []
    for place in api_places(world):
        for query in ({"nonsense": "1"}, {"cursor": "x"}, {"cursor": "\x00"}, {"limit": "many"}, {"limit": "0"}):
            answer = client.get(place.url, query, headers=headers)
            if answer.status_code != 400 or not answer.json().get("code"):
                faults.append(f"{place.name} {query}: {answer.status_code}")
        for name, field in filters_of(place)({}).form.fields.items():
            bad = "no such choice" if hasattr(field, "choices") else "\x00"
            answer = client.get(place.url, {name: bad}, headers=headers)
            if answer.status_code != 400 or not answer.json().get("code"):
                faults.append(f"{place.name} ?{name}={bad!r}: {answer.status_code}")
    assert not faults, "\n".join(faults)


def test_a_person_is_not_looked_for_by_a_filter_that_is_none(world: dict[str, Any]) -> None:
    answer = Client().get("/api/v1/profiles/?email=x@example.org", headers=token())
    assert (answer.status_code, answer.json()["code"], answer.json()["place"]) == (400, "unknown_parameter", "email")


def common(classes: set[type[ListFilters]]) -> set[type]:
    """Return the classes of filters, beside the base of all, that each of these is or is made of."""
    return set.intersection(*(set(found.__mro__) for found in classes)) - set(ListFilters.__mro__)


def test_pages_and_the_api_of_a_table_share_their_filters(world: dict[str, Any]) -> None:
    by_table: dict[str, set[type[ListFilters]]] = {}
    for place in (*api_places(world), *page_places(world)):
        by_table.setdefault(place.table, set()).add(filters_of(place))
    shared = {table: {found for found in classes if found is not ListFilters} for table, classes in by_table.items()}
    # What programs ask by public ids stands in a class of its own, with a base that holds what is the same.
    apart = {table: classes for table, classes in shared.items() if classes and not common(classes)}
    assert apart == {}


def test_the_staff_site_draws_the_shared_filters(world: dict[str, Any]) -> None:
    client = superuser()
    for model, site_class in admin.site._registry.items():
        assert isinstance(site_class, ServiceAdmin)
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for name, value in asked(site_class.filters):
            if name != "search":
                answer = client.get(url, {name: value})
                assert answer.status_code == 200, (url, name, value)
                assert f'name="{name}"' in answer.content.decode() or value in ("1", "x y")
        assert client.get(f"{url}?p=nonsense").status_code == 400


def test_every_page_list_declares_filters() -> None:
    views: list[Any] = [getattr(pattern.callback, "view_class", object) for _name, pattern, _route in routes()]
    lists = [view for view in views if issubclass(view, ListPage)]
    assert len(lists) > 10 and all(issubclass(view.filters, ListFilters) for view in lists)
