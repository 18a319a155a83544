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
}  # fmt: skip


@pytest.mark.parametrize("who", [ANALYST, EVERYTHING_BUT])
def test_no_page_shows_who_somebody_is(who: str, secret_world: tuple[dict[str, Any], Secrets]) -> None:
    world, secrets = secret_world
    client = browser(who)
    starts = [*page_starts(world), *(admin_starts() if who == EVERYTHING_BUT else ())]
    opened, leaks, broken = set(), [], []
    for answer in crawl(client, iter(starts)):
        if answer.opened:
            opened.add(answer.route)
        if answer.status >= 500 and answer.route != "readyz":
            broken.append(f"{answer.question}: {answer.status}")
        leaks += [f"{answer.question}: {what}" for what in secrets.found_in(answer.body)]
    assert not leaks, f"{len(leaks)} times:\n" + "\n".join(sorted(set(leaks)))
    assert not broken, "\n".join(broken)
    wanted = {name for name, (need, _act) in PAGES.items() if need != ANYONE and needs_met(who, need)}
    assert wanted - opened - set(NOT_OPENED) - set(LEFT_OUT) == set(), "pages that the walk did not open"


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
    assert wanted - opened == set(), "routes that the walk did not open"
