"""Walk everything that a reader can open: named addresses, links, fragments, forms with GET, filters, cursors."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from django.contrib import admin
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from consent.views.purpose_changes import pack_changes
from tests.scenarios.matrix import ANYONE, API, NEVER, PAGES
from tests.scenarios.walk import address, api_arguments, ask, routes

#: addresses of one route with the same names in the query that are opened; the rest are more of the same
MOST_ALIKE = 2
MOST_PAGES = 1_500
#: routes that the walk leaves out
LEFT_OUT = {"logout": "ends the session", "set_language": "acts"}
#: routes that are the same whatever is asked, and slow
ONCE = {"api_schema", "api_docs"}

API_ROUTES = tuple({f"{name.rpartition('-')[0]}-" for name in API} | ONCE)


@dataclass(frozen=True)
class Answer:
    """What was answered to one question."""

    route: str
    question: str
    status: int
    body: bytes  # with the headers

    @property
    def opened(self) -> bool:
        """Tell whether something was shown."""
        return self.status < 400


class _Links(HTMLParser):
    """Gather what a page leads to by GET."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._form = ""
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.found += [given[name] for name in ("href", "hx-get", "src") if given.get(name) and tag != "link"]
        if tag == "form":
            self._form = given.get("action", "?") if given.get("method", "get").lower() == "get" else ""
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self._select and given.get("value") and self._form:
            self.found.append(f"{self._form.partition('?')[0]}?{urlencode({self._select: given['value']})}")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = ""
        elif tag == "select":
            self._select = ""


def crawl(client: Client, starts: Iterable[str], leave: Collection[str] = ()) -> Iterator[Answer]:
    """Yield the answers to all that the starts lead to, each kind of question a few times.

    `leave`: routes that are not asked.
    """
    waiting = deque(starts)
    asked: set[str] = set()
    alike: Counter[Any] = Counter()
    while waiting and len(asked) < MOST_PAGES:
        question = waiting.popleft()
        route = route_of(question)
        names = () if route in ONCE else tuple(sorted(name for name, _value in parse_qsl(urlsplit(question).query)))
        if question in asked or not route or route in LEFT_OUT or route in leave:
            continue
        if alike[route, names] >= (1 if route in ONCE else MOST_ALIKE):
            continue
        asked.add(question)
        # What a page gives to htmx is asked once for each route: it is a part of the page.
        parts = not alike[route] and not route.startswith(API_ROUTES)
        alike.update([route, (route, names)])
        for headers in ({}, {"HX-Request": "true"}) if parts else ({},):
            answer = read(client, "GET", question, headers=headers)
            yield answer
            if answer.opened:
                waiting.extend(links_of(question, answer.body.decode(errors="replace")))


def read(client: Client, method: str, question: str, **options: Any) -> Answer:
    """Ask, and return what came with its headers."""
    given = ask(client, method, question, **options)
    body = b"".join(given.streaming_content) if given.streaming else given.content
    head = "\n".join(f"{name}: {value}" for name, value in given.items()).encode()
    return Answer(
        route_of(question),
        f"{method} {question} {options.get('headers') or ''}",
        given.status_code,
        head + b"\n\n" + body,
    )


def route_of(question: str) -> str:
    """Return the name of the route that answers; "" when it is none of ours."""
    try:
        match = resolve(urlsplit(question).path)
    except Resolver404:
        return ""
    return match.view_name or ""


def links_of(question: str, text: str) -> list[str]:
    """Return the addresses on this site that an answer leads to."""
    found = _Links()
    found.feed(text)
    joined = [urljoin(question, link.strip()) for link in found.found if not link.startswith(("#", "data:", "mailto:"))]
    joined += [
        urljoin(question, link) for link in re.findall(r'"(?:next|previous)": ?"http://testserver([^"]+)"', text)
    ]
    return [link.partition("#")[0] for link in joined if link.startswith("/") and not link.startswith("//")]


def page_starts(world: dict[str, Any], leave: Collection[str] = ()) -> Iterator[str]:
    """Yield every named address, plain and as an export, sorted by what it may be sorted by."""
    for name, _pattern, route in routes():
        if name in PAGES and name not in leave and PAGES[name][0] not in (NEVER, ANYONE):
            path = address(name, route, world)
            yield path
            for query in ("export=csv", "q=ord", "at=x"):
                yield f"{path}?{query}"
            if name.startswith("consent:purpose_change"):
                yield f"{path}?who=lost&to={pack_changes(world['purpose'], {'retention_days': 30})}"


def admin_starts() -> Iterator[str]:
    """Yield the lists of the staff site in every order, searched, and the pages of a few rows."""
    yield reverse("admin:index")
    for model in admin.site._registry:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
        path = reverse(base + "changelist")
        yield path
        yield from (f"{path}?{query}" for query in ("o=1", "o=-2", "q=a", "search=a"))
        for row in islice(model._default_manager.order_by("pk"), 2):
            yield reverse(base + "change", args=[row.pk])
            yield reverse(base + "history", args=[row.pk])


def api_starts(world: dict[str, Any]) -> Iterator[str]:
    """Yield every route of the API that is read, page by page and narrowed."""
    for name, methods in API.items():
        if "GET" in methods:
            path = reverse(name, args=api_arguments(name, world))
            yield path
            for query in ("limit=1", "search=ord", "ordering=name", "cursor=x"):
                yield f"{path}?{query}"
