"""The read API with the shape of Segment's Profile API, against the examples of its documentation."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from cdp.common.api_limits import buckets
from cdp.common.models import AccessLog
from tests.live import Site
from tests.profiles.processing.inbox import identify, person, send, source, track
from tests.segments.factories import segment

Token = Callable[..., dict[str, str]]
BASE = "/v1/spaces/lg8283283/collections/users/profiles"


@pytest.fixture
def headers(db: None, api_token: Token) -> dict[str, str]:
    """Return Basic credentials: the token as user name, no password."""
    return basic(api_token())


def basic(bearer: dict[str, str]) -> dict[str, str]:
    """Turn Bearer credentials into theirs."""
    token = bearer["Authorization"].removeprefix("Bearer ")
    return {"Authorization": "Basic " + base64.b64encode(f"{token}:".encode()).decode()}


@pytest.fixture
def bob(db: None) -> Any:
    """Somebody who did something."""
    send(
        source(),
        identify("m1", userId="u1", traits={"email": "bob@shop.nl", "first_name": "Bob", "n": 1, "vip": True}),
        *(track(f"t{n}", "Seen" if n % 2 else "Bought", n, userId="u1", properties={"n": n}) for n in range(1, 8)),
        {"type": "group", "userId": "u1", "groupId": "acme", "messageId": "g1"},
        track("t9", "Seen", 9, userId="u1", anonymousId="device/1"),
    )
    return person("user_id", "u1")


def get(address: str, headers: dict[str, str]) -> Any:
    """Return a good answer."""
    answer = Client().get(f"{BASE}/{address}", headers=headers)
    assert answer.status_code == 200, answer.content
    assert answer["Request-Id"]
    return answer.json()


def test_traits_come_ten_a_page_with_the_segments_as_audiences(headers: dict[str, str], bob: Any) -> None:
    segment("Big spenders", {"type": "everyone"})
    data = get("user_id:u1/traits", headers)
    assert set(data) == {"traits", "cursor"}
    assert data["traits"] == {
        "big-spenders": True, "email": "bob@shop.nl", "first_name": "Bob", "n": 1, "vip": True,
    }  # fmt: skip
    assert data["cursor"] == {
        "url": f"{BASE}/{bob.uuid}/traits", "has_more": False, "next": "", "limit": 10,
    }  # fmt: skip
    assert get("email:bob@shop.nl/traits?include=n,vip", headers)["traits"] == {"n": 1, "vip": True}
    assert get("user_id:u1/traits?class=audience", headers)["traits"] == {"big-spenders": True}
    assert get("user_id:u1/traits?class=computed_trait", headers)["traits"] == {}
    verbose = get("user_id:u1/traits?verbose=true&include=first_name", headers)["traits"]["first_name"]
    assert (verbose["value"], verbose["source_id"]) == ("Bob", "test-server") and verbose["updated_at"]
    seen: dict[str, Any] = {}
    address = "user_id:u1/traits?limit=2"
    for _page in range(4):
        data = get(address, headers)
        seen |= data["traits"]
        if not data["cursor"]["has_more"]:
            break
        address = data["cursor"]["url"].removeprefix(f"{BASE}/")
    assert len(seen) == 5


def test_external_ids_and_events_are_walked_by_next(headers: dict[str, str], bob: Any) -> None:
    found: list[Any] = []
    following = ""
    while True:
        data = get(f"user_id:u1/external_ids?limit=1&next={following}", headers)
        assert len(data["data"]) == 1
        found += data["data"]
        following = data["cursor"]["next"]
        if not data["cursor"]["has_more"]:
            break
    assert {(item["type"], item["id"]) for item in found} == {
        ("user_id", "u1"), ("email", "bob@shop.nl"), ("anonymous_id", "device/1"),
    }  # fmt: skip
    assert set(found[0]) == {
        "source_id", "collection", "id", "type", "created_at", "encoding", "first_message_id",
    }  # fmt: skip
    only = get("user_id:u1/external_ids?include=email", headers)["data"]
    assert [item["id"] for item in only] == ["bob@shop.nl"]
    bought = get("anonymous_id:device%2F1/events?include=Bought&sort=asc", headers)["data"]
    assert [item["properties"]["n"] for item in bought] == [2, 4, 6]
    first = bought[0]
    assert set(first) == {
        "external_ids", "context", "type", "message_id", "source_id", "timestamp", "properties", "event", "related",
    }  # fmt: skip
    assert (first["event"], first["type"], first["message_id"], first["source_id"]) == (
        "Bought", "track", "t2", "test-server",
    )  # fmt: skip
    assert first["external_ids"] == [{"collection": "users", "type": "user_id", "id": "u1", "encoding": "none"}]
    assert first["timestamp"].endswith("Z")
    names = {item["event"] for item in get("user_id:u1/events?exclude=Bought,Seen&limit=100", headers)["data"]}
    assert names == {"Identified", "Group Joined"}
    later = (timezone.now() + timedelta(days=1)).date().isoformat()
    assert get(f"user_id:u1/events?start={later}", headers)["data"] == []


def test_metadata_and_links(headers: dict[str, str], bob: Any) -> None:
    data = get("user_id:u1/metadata", headers)["metadata"]
    assert set(data) == {
        "created_at", "updated_at", "expires_at", "first_message_id", "first_source_id", "last_message_id",
        "last_source_id",
    }  # fmt: skip
    assert data["expires_at"] is None and data["first_source_id"] == "test-server"
    (link,) = get("user_id:u1/links", headers)["data"]
    assert link["to_collection"] == "accounts"
    assert (link["external_ids"][0]["id"], link["external_ids"][0]["type"]) == ("acme", "group_id")


def test_refusals_have_their_shape(headers: dict[str, str], bob: Any, api_token: Token) -> None:
    client = Client()
    for address, given, status, code in (
        ("user_id:nobody/traits", headers, 404, "not_found"),
        ("user_id:u1/traits?limit=0", headers, 400, "validation_error"),
        ("user_id:u1/traits?limit=x", headers, 400, "validation_error"),
        ("user_id:u1/traits?class=x", headers, 400, "validation_error"),
        ("user_id:u1/events?next=nonsense", headers, 400, "validation_error"),
        ("user_id:u1/events?start=yesterday", headers, 400, "validation_error"),
        ("user_id:u1/events?sort=up", headers, 400, "validation_error"),
        ("user_id:u1/traits", {}, 401, "authentication_error"),
        ("user_id:u1/traits", {"Authorization": "Basic !"}, 401, "authentication_error"),
        ("user_id:u1/traits", {"Authorization": "Basic a2J0X3g6"}, 401, "authentication_error"),
        ("user_id:u1/traits", api_token(), 401, "authentication_error"),
        ("user_id:u1/traits", basic(api_token("Analyst")), 403, "authentication_error"),
    ):
        answer = client.get(f"{BASE}/{address}", headers=given)
        assert answer.status_code == status, (address, answer.content)
        assert set(answer.json()) == {"error"} and set(answer.json()["error"]) == {"code", "message"}
        assert answer.json()["error"]["code"] == code and answer.json()["error"]["message"], address
        assert "bob" not in answer.content.decode().lower()
    missing = client.get(f"{BASE}/user_id:nobody/traits", headers=headers).json()
    assert missing == {"error": {"code": "not_found", "message": "Profile was not found."}}
    assert client.post(f"{BASE}/user_id:u1/traits", headers=headers).status_code == 405


def test_every_look_is_in_the_access_log(headers: dict[str, str], bob: Any) -> None:
    get("user_id:u1/traits", headers)
    row = AccessLog.objects.get(action="profile.viewed")
    assert (row.object_id, row.detail["segment_api"]) == (str(bob.uuid), "traits")


def test_the_running_site_leads_it_to_the_right_part(site: Site, api_token: Token) -> None:
    send(source(), identify("m1", userId="a/b +", traits={"city": "Gent"}))
    answer = httpx.get(f"{site.url}{BASE}/user_id:{quote('a/b +', safe='')}/traits", headers=basic(api_token()))
    assert (answer.status_code, answer.json()["traits"]) == (200, {"city": "Gent"})


def test_who_asks_too_often_is_told_when_to_come_again(headers: dict[str, str], bob: Any, settings: Any) -> None:
    settings.API_RATES = {**settings.API_RATES, "reads": 0.1}
    buckets.clear()
    try:
        first, second = (Client().get(f"{BASE}/user_id:u1/traits", headers=headers) for _time in range(2))
        assert first.status_code == 200 and first["RateLimit-Remaining"] == "0"
        assert second.status_code == 429 and int(second["Retry-After"]) > 0
        assert second.json()["error"]["code"] == "rate_limit_error"
    finally:
        buckets.clear()
