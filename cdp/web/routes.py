"""Which pool answers an address, and how much may be sent to it: one table. Plain Python: the settings read it."""

from __future__ import annotations

import re
from dataclasses import dataclass

KIBIBYTE, MEBIBYTE = 1024, 1024 * 1024

#: what may be sent without a session or token: a login, a preference form
NAMELESS_BYTES = 64 * KIBIBYTE
#: forms with a message's text, JSON of one thing
USUAL_BYTES = 5 * MEBIBYTE
#: JSON of many things at once
BULK_BYTES = 20 * MEBIBYTE


@dataclass(frozen=True)
class Pool:
    """Threads for one kind of request, so that no kind can take the place of another."""

    name: str
    threads: int
    #: requests that may wait for a thread; more are told to come again
    waiting: int


#: links in mails: unsubscribing must work whatever the people at work do, and whoever hammers at the login
LINKS = Pool("links", threads=2, waiting=400)
SIGN_IN = Pool("sign-in", threads=2, waiting=400)
PAGES = Pool("pages", threads=5, waiting=200)
API = Pool("api", threads=3, waiting=200)
#: answers that are made while they are sent (CSV of any length)
EXPORTS = Pool("exports", threads=2, waiting=10)
POOLS = (LINKS, SIGN_IN, PAGES, API, EXPORTS)


@dataclass(frozen=True)
class Route:
    """What an address may cost."""

    pool: Pool
    max_bytes: int = USUAL_BYTES
    #: a file may come here, from those who may import
    upload: bool = False


_ROUTES: tuple[tuple[re.Pattern[str], Route], ...] = tuple(
    (re.compile(pattern), route)
    for pattern, route in (
        (r"/(?:login|logout|language)/", Route(SIGN_IN, NAMELESS_BYTES)),
        (r"/(?:u|preferences)/", Route(LINKS, NAMELESS_BYTES)),
        (r"/imports/new/$", Route(PAGES, upload=True)),
        (r"/api/(?:v1/)?imports/?$", Route(API, upload=True)),
        (r"/api/(?:.*/)?bulk/?$", Route(API, BULK_BYTES)),
        (r"/api/|/v1/", Route(API)),
    )
)
_ELSE = Route(PAGES)
#: addresses whose refusals are JSON
PROGRAMS = ("/api/", "/v1/")


def route_of(path: str) -> Route:
    """Return what the address may cost."""
    return next((route for pattern, route in _ROUTES if pattern.match(path)), _ELSE)


def max_bytes(route: Route, *, named: bool) -> int:
    """Return how much may be sent; `named`: with a session or a token."""
    return route.max_bytes if named else min(route.max_bytes, NAMELESS_BYTES)
