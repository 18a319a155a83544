"""The REST API: make, read, change, archive, preview, members, changes; refusals with their places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from cdp.common.models import AccessLog
from segments.models import Segment
from tests.segments.factories import event, happened, members, person, refresh_new, rule, segment, trait

pytestmark = pytest.mark.django_db
Tokens = Callable[[str], dict[str, str]]
URL = "/api/v1/segments/"


def send(method: str, url: str, token: dict[str, str], data: Any = None) -> Any:
    """Send JSON with a token."""
    body = {} if data is None else {"data": data}
    return getattr(Client(), method)(url, content_type="application/json", headers=token, **body)


def test_a_segment_is_made_read_changed_and_archived(api_token: Tokens) -> None:
    dutch, belgian = person(traits={"country": "NL"}), person(traits={"country": "BE"})
    token = api_token("Marketer")
    made = send("post", URL, token, {"name": "Dutch", "rule": rule(trait("country", "is", "NL"))})
    assert made.status_code == 201, made.content
    assert (made.json()["id"], made.json()["version"]) == ("dutch", 1)
    assert made.json()["sentence"] == "People whose country is NL."
    row = Segment.objects.get()
    refresh_new()
    assert members(row) == {dutch.pk}
    assert send("get", f"{URL}dutch/", token).json()["member_count"] == 1
    changed = send("patch", f"{URL}dutch/", token, {"name": "Belgian", "rule": rule(trait("country", "is", "BE"))})
    assert (changed.status_code, changed.json()["version"], changed.json()["name"]) == (200, 2, "Belgian")
    refresh_new()
    assert members(row) == {belgian.pk}
    assert send("delete", f"{URL}dutch/", token).status_code == 204
    assert members(row) == set()
    assert send("patch", f"{URL}dutch/", token, {"name": "x"}).status_code == 409


def test_a_faulty_rule_is_refused_with_every_place(api_token: Tokens) -> None:
    faulty = rule({"type": "all", "children": [trait("nobody has this", "is", "x"), {"type": "sql"}]})
    for url, data in ((URL, {"name": "X", "rule": faulty}), (f"{URL}preview/", {"rule": faulty})):
        answer = send("post", url, api_token("Marketer"), data)
        assert answer.status_code in (400, 422), answer.content
        assert "include.1" in answer.content.decode()
    assert not Segment.objects.exists()


def test_a_preview_counts_the_nodes_and_masks_names(api_token: Tokens) -> None:
    person(traits={"country": "NL"}, name="Anna de Vries")
    person(traits={"country": "BE"}, name="Luc Janssens")
    data = {"rule": rule({"type": "any", "children": [trait("country", "is", "NL"), trait("country", "is", "BE")]})}
    answer = send("post", f"{URL}preview/", api_token("Marketer"), data).json()
    assert (answer["count"], answer["base"], answer["nodes"]["include.0"]) == (2, 2, 1)
    assert "Anna de Vries" in str(answer["sample"])
    assert "Anna de Vries" not in str(send("post", f"{URL}preview/", api_token("Analyst"), data).json())


@pytest.mark.parametrize("junk", [None, [], "x", 5, {"rule": 7}, {"rule": {"include": None}}])
def test_junk_is_refused_and_never_an_error(api_token: Tokens, junk: Any) -> None:
    token = api_token("Marketer")
    assert send("post", URL, token, junk).status_code in (400, 422)
    assert send("post", f"{URL}preview/", token, junk).status_code in (400, 422)


def test_members_and_changes_are_listed_and_the_look_is_logged(api_token: Tokens) -> None:
    buyer = person(name="Anna de Vries")
    happened(buyer, "Order")
    made = segment("Buyers", event("Order"))
    url = f"{URL}{made.slug}/"
    listed = send("get", f"{url}members/", api_token("Marketer")).json()["results"]
    assert [(row["profile_id"], row["name"]) for row in listed] == [(str(buyer.uuid), "Anna de Vries")]
    assert AccessLog.objects.filter(action="segment.members_listed").count() == 1
    assert "Anna de Vries" not in send("get", f"{url}members/", api_token("Analyst")).content.decode()
    changes = send("get", f"{url}changes/", api_token("Marketer")).json()["results"]
    assert [(row["profile_id"], row["entered"], row["cause"]) for row in changes] == [(str(buyer.uuid), True, "rule")]


def test_roles_keep_to_what_they_may(api_token: Tokens) -> None:
    made = segment("Everyone", {"type": "everyone"})
    analyst = api_token("Analyst")
    assert send("get", URL, analyst).status_code == 200
    assert send("post", URL, analyst, {"name": "X", "rule": rule({"type": "everyone"})}).status_code == 403
    assert send("patch", f"{URL}{made.slug}/", analyst, {"name": "X"}).status_code == 403
    assert send("delete", f"{URL}{made.slug}/", analyst).status_code == 403
    assert send("get", URL, api_token("Privacy officer")).status_code == 403
    assert send("get", URL, {}).status_code in (401, 403)
