"""Nobody without permission reads who somebody is: walk all that opens, and look for every value that tells it."""

from __future__ import annotations

from typing import Any

import pytest

from cdp.common.roles import ANALYST
from tests.privacy.crawl import LEFT_OUT, admin_starts, api_starts, crawl, page_starts
from tests.privacy.readers import EVERYTHING_BUT, api_headers, browser, needs_met
from tests.privacy.secrets import Secrets
from tests.scenarios.matrix import ANYONE, API, PAGES

pytestmark = pytest.mark.django_db
#: pages that the walk does not open, and why that is right
NOT_OPENED = {
    "readyz": "answers machines, 503 in tests", "healthz": "answers machines", "password_change": "one's own account",
    "campaigns:delivery_mail": "is not there for who may not see people",
}  # fmt: skip

#: routes of the API that the walk does not open
NOT_READ = {"exports-download": "is there once an export is written, by what answers the lists"}


@pytest.mark.parametrize("who", [ANALYST, EVERYTHING_BUT])
def test_no_page_shows_who_somebody_is(who: str, secret_world: tuple[dict[str, Any], Secrets]) -> None:
    world, secrets = secret_world
    client = browser(who)
    # What the Analyst opens is walked as the Analyst.
    leave = set() if who == ANALYST else {name for name in PAGES if needs_met(ANALYST, PAGES[name][0])}
    starts = [*page_starts(world, leave), *(admin_starts() if who == EVERYTHING_BUT else ())]
    opened, leaks, broken = set(), [], []
    for answer in crawl(client, starts, leave):
        if answer.opened:
            opened.add(answer.route)
        if answer.status >= 500 and answer.route != "readyz":
            broken.append(f"{answer.question}: {answer.status}")
        leaks += [f"{answer.question}: {what}" for what in secrets.found_in(answer.body)]
    assert not leaks, f"{len(leaks)} times:\n" + "\n".join(sorted(set(leaks)))
    assert not broken, "\n".join(broken)
    wanted = {name for name, (need, _act) in PAGES.items() if need != ANYONE and needs_met(who, need)}
    assert wanted - leave - opened - set(NOT_OPENED) - set(LEFT_OUT) == set(), "pages that the walk did not open"


@pytest.mark.parametrize("who", [ANALYST, EVERYTHING_BUT])
def test_no_route_of_the_api_shows_who_somebody_is(who: str, secret_world: tuple[dict[str, Any], Secrets]) -> None:
    world, secrets = secret_world
    client = browser(who)
    client.defaults["HTTP_AUTHORIZATION"] = api_headers(who)["Authorization"]
    opened, leaks, broken = set(), [], []
    for answer in crawl(client, api_starts(world)):
        if answer.opened:
            opened.add(answer.route)
        if answer.status >= 500:
            broken.append(f"{answer.question}: {answer.status}")
        leaks += [f"{answer.question}: {what}" for what in secrets.found_in(answer.body)]
    assert not leaks, f"{len(leaks)} times:\n" + "\n".join(sorted(set(leaks)))
    assert not broken, "\n".join(broken)
    wanted = {name for name, methods in API.items() if "GET" in methods and needs_met(who, methods["GET"])}
    assert wanted - opened - set(NOT_READ) == set(), "routes that the walk did not open"
