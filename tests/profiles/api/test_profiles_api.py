"""People and interactions over the REST API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from cdp.common.models import AccessLog
from tests.profiles.processing.inbox import identify, person, send, source, track

pytestmark = pytest.mark.django_db
Token = Callable[..., dict[str, str]]


@pytest.fixture
def anna() -> Any:
    send(
        source(),
        identify("m1", userId="u1", traits={"email": "anna@shop.nl", "first_name": "Anna", "plan": "pro"}),
        *(track(f"t{n}", "Seen", n, userId="u1", properties={"n": n, "email": "anna@shop.nl"}) for n in range(5)),
        identify("m2", userId="u2", traits={"email": "bert@shop.nl"}),
    )
    return person("user_id", "u1")


def test_people_are_listed_searched_and_looked_up(client: Client, api_token: Token, anna: Any) -> None:
    headers = api_token("Marketer")
    found = client.get("/api/v1/profiles/?search=anna", headers=headers).json()
    assert [row["id"] for row in found["results"]] == [str(anna.uuid)]
    for address in (
        f"/api/v1/profiles/{anna.uuid}/",
        "/api/v1/profiles/email:Anna@Shop.nl/",
        "/api/v1/profiles/user_id:u1/",
    ):
        data = client.get(address, headers=headers).json()
        assert data["traits"]["plan"] == "pro"
        assert {item["kind"] for item in data["identifiers"]} == {"user_id", "email"}
    assert AccessLog.objects.filter(action="profile.viewed", object_id=str(anna.uuid)).count() == 3


@pytest.mark.parametrize("address", ["nobody", "email:x", "user_id:", "%00", "email:%00@x.nl", "0" * 500])
def test_an_unknown_person_is_not_found(client: Client, api_token: Token, address: str) -> None:
    assert client.get(f"/api/v1/profiles/{address}/", headers=api_token()).status_code == 404


def test_an_analyst_sees_no_names_or_addresses(client: Client, api_token: Token, anna: Any) -> None:
    headers = api_token("Analyst")
    for address in (
        "/api/v1/profiles/",
        f"/api/v1/profiles/{anna.uuid}/",
        "/api/v1/interactions/",
        f"/api/v1/profiles/{anna.uuid}/interactions/",
    ):
        answer = client.get(address, headers=headers)
        assert answer.status_code == 200
        assert "anna" not in answer.content.decode().lower()
    patch = client.patch(
        f"/api/v1/profiles/{anna.uuid}/", {"traits": {"a": 1}}, content_type="application/json", headers=headers
    )
    assert patch.status_code == 403


def test_without_a_token_nothing_is_told(client: Client, anna: Any) -> None:
    for address in ("/api/v1/profiles/", f"/api/v1/profiles/{anna.uuid}/", "/api/v1/interactions/"):
        assert client.get(address).status_code == 401


def test_traits_are_set_and_removed(client: Client, api_token: Token, anna: Any) -> None:
    headers = api_token("Marketer")
    body = {"traits": {"city": "Gent", "plan": None}}
    data = client.patch(f"/api/v1/profiles/{anna.uuid}/", body, content_type="application/json", headers=headers).json()
    assert data["traits"]["city"] == "Gent"
    assert "plan" not in data["traits"]
    bad = client.patch(
        f"/api/v1/profiles/{anna.uuid}/", {"traits": {"__proto__": 1}}, content_type="application/json", headers=headers
    )
    assert (bad.status_code, bad.json()["code"]) == (400, "trait.name_invalid")


def test_a_person_is_made_once_and_then_updated(client: Client, api_token: Token) -> None:
    headers = api_token("Marketer")
    body = {"identifiers": [{"kind": "email", "value": "New@Shop.nl"}], "traits": {"city": "Gent"}}
    first = client.post("/api/v1/profiles/", body, content_type="application/json", headers=headers)
    second = client.post("/api/v1/profiles/", body, content_type="application/json", headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    junk = client.post(
        "/api/v1/profiles/",
        {"identifiers": [{"kind": "email", "value": "noreply@shop.nl"}]},
        content_type="application/json",
        headers=headers,
    )
    assert (junk.status_code, junk.json()["code"]) == (400, "identifier.junk")
    none = client.post("/api/v1/profiles/", {}, content_type="application/json", headers=headers)
    assert (none.status_code, none.json()["code"]) == (400, "identifier.missing")


def test_interactions_page_by_cursor_without_gaps_or_repeats(client: Client, api_token: Token, anna: Any) -> None:
    headers = api_token("Marketer")
    seen: list[int] = []
    address = f"/api/v1/profiles/{anna.uuid}/interactions/?limit=2"
    while address:
        page = client.get(address, headers=headers).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert len(seen) == len(set(seen)) == 6
    assert (
        client.get("/api/v1/interactions/?name=Seen&limit=3", headers=headers).json()["results"][0]["properties"]["n"]
        == 4
    )
    assert client.get("/api/v1/interactions/?cursor=nonsense", headers=headers).status_code == 400
    assert client.get("/api/v1/interactions/?since=yesterday", headers=headers).status_code == 400


def test_a_trait_is_pinned_and_unpinned(client: Client, api_token: Token, anna: Any) -> None:
    headers, address = api_token(), f"/api/v1/profiles/{anna.uuid}/"

    def patch(**body: Any) -> Any:
        return client.patch(address, body, content_type="application/json", headers=headers)

    data = patch(traits={"plan": "vip"}, pin=["plan"]).json()
    assert data["traits"]["plan"] == "vip" and data["origins"]["plan"]["pin"] is True
    assert patch(traits={"plan": "basic"}).json()["traits"]["plan"] == "vip"
    assert patch(unpin=["plan"]).json()["traits"]["plan"] == "basic"
    refused = patch(pin=["absent"])
    assert (refused.status_code, refused.json()["code"]) == (400, "trait.nothing_to_pin")


def test_identifiers_of_two_people_are_refused_with_both_ids(client: Client, api_token: Any) -> None:
    """D8: the answer was 200, and the second identifier stayed where it was."""
    headers = api_token()

    def post(*identifiers: tuple[str, str]) -> Any:
        body = {"identifiers": [{"kind": kind, "value": value} for kind, value in identifiers]}
        return client.post("/api/v1/profiles/", body, content_type="application/json", headers=headers)

    anna = post(("email", "anna@two.example"), ("user_id", "u-anna")).json()["id"]
    bert = post(("email", "bert@two.example"), ("user_id", "u-bert")).json()["id"]
    answer = post(("user_id", "u-anna"), ("user_id", "u-bert"))
    assert (answer.status_code, answer.json()["code"]) == (409, "identifiers_of_several_people"), answer.content
    assert sorted(answer.json()["detail"]["profile_ids"]) == sorted([anna, bert])
    assert post(("email", "anna@two.example"), ("user_id", "u-anna")).json()["id"] == anna
    assert client.get("/api/v1/profiles/user_id:u-bert/", headers=headers).json()["id"] == bert
