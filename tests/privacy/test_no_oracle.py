"""Nobody without permission finds out by asking: a right guess is answered like a wrong one."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse

from cdp.common.roles import ANALYST
from profiles.models import CatalogueEntry, Interaction, Profile
from tests.privacy.crawl import read
from tests.privacy.readers import EVERYTHING_BUT, api_headers, browser, needs_met
from tests.privacy.secrets import Secrets
from tests.scenarios.matrix import ANYONE, API, NEVER, PAGES
from tests.scenarios.walk import address, api_arguments, routes

pytestmark = pytest.mark.django_db
World = tuple[dict[str, Any], Secrets]
#: what changes between two answers whatever is asked
_PASSING = re.compile(
    r"csrfmiddlewaretoken[^>]*|csrf[^>]*|nonce[^ >]*|hx-headers='[^']*'|\d+ (?:seconds?|minutes?) ago|Server-Timing.*"
    r"|[Rr]ate[Ll]imit[^\n]*|X-Request[^\n]*|Set-Cookie[^\n]*|Date:[^\n]*"
)


def guesses(person: Profile) -> list[str]:
    """Return parts of what is masked of a person, and of what was done."""
    event = Interaction.objects.get(profile_id=person.pk, name__startswith="Order by").name
    return [person.traits["x1"][:9], person.email, event]


def nonsense(guess: str) -> str:
    """Return a text of the same shape that stands nowhere."""
    return "".join("z" if sign.isalpha() else "8" if sign.isdigit() else sign for sign in guess)


def outcome(client: Client, question: str, text: str) -> tuple[int, str]:
    """Return an answer without the text that was asked for, which the page repeats."""
    answer = read(client, "GET", question.format(quote(text)))
    body = answer.body.decode(errors="replace")
    for form in {text, quote(text), quote(text, safe=""), text.replace(" ", "+"), quote(text).replace("%20", "+")}:
        body = re.sub(re.escape(form), "?", body, flags=re.IGNORECASE)
    return answer.status, _PASSING.sub("", body)


def told(client: Client, question: str, person: Profile) -> list[str]:
    """Return the guesses that are answered otherwise than nonsense."""
    return [f"{question}: {guess}" for guess in guesses(person) if differs(client, question, guess)]


def differs(client: Client, question: str, guess: str) -> bool:
    """Tell whether a guess is answered otherwise than nonsense, twice: a page may say how long ago something was."""
    return all(outcome(client, question, guess) != outcome(client, question, nonsense(guess)) for _time in range(2))


def test_no_page_tells_a_right_guess_from_a_wrong_one(secret_world: World) -> None:
    world, _secrets = secret_world
    client, found = browser(ANALYST), []
    for name, _pattern, route in routes():
        need = PAGES.get(name, (NEVER, NEVER))[0]
        if need not in (NEVER, ANYONE) and name not in ("api_schema", "api_docs") and needs_met(ANALYST, need):
            path = address(name, route, world)
            parameter = "find" if name == "campaigns:find_person" else "q"
            found += told(client, f"{path}?{parameter}={{}}", world["person"])
    assert not found, "\n".join(found)


def test_no_route_of_the_api_tells_a_right_guess_from_a_wrong_one(secret_world: World) -> None:
    world, _secrets = secret_world
    client, found = browser(ANALYST), []
    client.defaults["HTTP_AUTHORIZATION"] = api_headers(ANALYST)["Authorization"]
    for name, methods in API.items():
        if "GET" in methods and needs_met(ANALYST, methods["GET"]):
            path = reverse(name, args=api_arguments(name, world))
            for parameter in ("search", "name", "event"):
                found += told(client, f"{path}?{parameter}={{}}", world["person"])
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", ["profiles/{}/", "profiles/{}/interactions/", "permissions/{}/"])
def test_no_look_up_by_an_identifier_tells_whose_it_is(place: str, secret_world: World) -> None:
    world, _secrets = secret_world
    client, headers = browser(ANALYST), api_headers(ANALYST)
    right, wrong = f"email:{world['person'].email}", "email:nobody@secret.example"
    answers = [client.get(f"/api/v1/{place.format(text)}", headers=headers) for text in (right, wrong)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].content == answers[1].content


def test_names_are_no_order_for_who_may_not_see_them(secret_world: World) -> None:
    client = browser(ANALYST)
    plain = _PASSING.sub("", client.get("/people/").content.decode())
    shown = re.findall(r'href="/people/([0-9a-f-]{36})/"', plain)
    for sort in ("name", "-name", "email", "display_name"):
        sorted_page = client.get(f"/people/?sort={sort}").content.decode()
        assert re.findall(r'href="/people/([0-9a-f-]{36})/"', sorted_page) == shown
    assert "sort=name" not in plain


def preview(client: Client, condition: dict[str, Any]) -> Any:
    """Ask for a preview over the API as the Analyst."""
    rule = {"include": {"type": "all", "children": [condition]}, "exclude": None}
    return client.post(
        "/api/v1/segments/preview/",
        json.dumps({"rule": rule}),
        content_type="application/json",
        headers=api_headers(ANALYST),
    )


HIDDEN: list[dict[str, Any]] = [
    {"type": "trait", "key": "x1", "operator": "is", "value": "Quaffel"},
    {"type": "trait", "key": "x1", "operator": "starts_with", "value": "q"},
    {"type": "trait", "key": "имя", "operator": "contains", "value": "q"},
    {"type": "trait", "key": "имя", "operator": "one_of", "value": ["a", "b"]},
    {"type": "trait", "key": "telefoon", "operator": "gt", "value": 31600000000},
    {"type": "trait", "key": "phone", "operator": "lt", "value": 500},
    {"type": "trait", "key": "klantnummer", "operator": "between", "value": [1, 9]},
    {"type": "trait", "key": "breedtegraad", "operator": "gt", "value": 52.3791},
    {"type": "trait", "key": "dag", "operator": "before", "value": "1990-01-01"},
    {"type": "trait", "key": "dag", "operator": "in_last", "value": 20000},
    {"type": "trait", "key": "adres.straat", "operator": "ends_with", "value": "s"},
    {"type": "trait", "key": "woorden", "operator": "has", "value": "q"},
    {"type": "trait", "key": "no_such_trait", "operator": "is", "value": "q"},
    {"type": "event", "name": "Order by q@secret.example", "count": "at_least", "times": 1},
    {
        "type": "event", "name": "Order Completed", "count": "at_least", "times": 1,
        "where": [{"key": "naam", "operator": "contains", "value": "q"}],
    },
]  # fmt: skip


def test_a_preview_may_not_ask_for_what_is_masked(secret_world: World) -> None:
    for condition in HIDDEN:
        answer = preview(Client(), condition)
        assert (answer.status_code, answer.json()["code"]) == (403, "segment.hidden_values"), condition


def test_a_preview_may_ask_for_what_is_shown(secret_world: World) -> None:
    CatalogueEntry.objects.filter(scope="trait", path="plan").update(pii="open")
    plan = secret_world[0]["person"].traits["plan"]
    shown: list[dict[str, Any]] = [
        {"type": "trait", "key": "orders_count", "operator": "gte", "value": 3},
        {"type": "trait", "key": "x1", "operator": "exists"},
        {"type": "trait", "key": "plan", "operator": "is", "value": plan},
        {"type": "event", "name": "Order Completed", "count": "at_least", "times": 1},
        {"type": "seen", "which": "last", "operator": "within", "days": 30},
    ]
    for condition in shown:
        answer = preview(Client(), condition)
        assert answer.status_code == 200, answer.content
    assert "Wilhelmina" not in answer.content.decode()


def test_a_saved_rule_may_not_ask_for_it_either(secret_world: World) -> None:
    """A role of one's own making may build segments without seeing people: the count of members would tell."""
    body = {"name": "Guess", "rule": {"include": HIDDEN[1], "exclude": None}}
    answer = Client().post(
        "/api/v1/segments/", json.dumps(body), content_type="application/json", headers=api_headers(EVERYTHING_BUT)
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "segment.hidden_values")
