"""The frame of the REST API: one version, one way to write an address, and every refusal as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from cdp.common.roles import ADMINISTRATOR

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(api_token: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Ask as an administrator's token; an error of ours comes back as the answer that a client would see."""
    client, headers = Client(raise_request_exception=False), api_token(ADMINISTRATOR)

    def ask(method: str, path: str, body: bytes = b"{}", content_type: str = "application/json", **extra: Any) -> Any:
        return client.generic(method, path, body, content_type=content_type, headers={**headers, **extra})

    return ask


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/api/profiles/?search=a%20b&limit=2", "/api/v1/profiles/?search=a%20b&limit=2"),
        ("/api/profiles", "/api/v1/profiles/"),
        ("/api/v1/profiles?limit=2", "/api/v1/profiles/?limit=2"),
        ("/api/profiles/email:anna%2Bx@example.org/", "/api/v1/profiles/email:anna+x@example.org/"),
        ("/api/v1/profiles/user_id:a%20b", "/api/v1/profiles/user_id:a%20b/"),
        ("/api/docs/", "/api/v1/docs/"),
        ("/api/schema", "/api/v1/schema/"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_old_and_unfinished_addresses_lead_on_and_keep_the_method(
    api: Callable[..., Any], method: str, old: str, new: str
) -> None:
    """D8: a POST that was answered 301 came back as a GET, and its 200 looked like success."""
    answer = api(method, old)
    assert (answer.status_code, answer["Location"]) == (308, new)


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/nothing",
        "/api/v1/nothing/",
        "/api/v2/profiles/",
        "/api/v1/profiles/email:nobody@example.org/",
        "/api/v1/profiles/%00/",
        "/api/v1/purposes/a%00b/",
        "/api/v1/purposes/%FF%FE/",
        "/api/v1//profiles/",
        "/api//evil.example/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "TRACE", "QUERY"])
def test_what_is_not_there_is_said_as_json(api: Callable[..., Any], method: str, path: str) -> None:
    answer = api(method, path)
    assert answer.status_code in (404, 405), answer.content[:300]
    assert answer["Content-Type"] == "application/json"
    said = answer.json()
    assert said["code"] in ("not_found", "unknown_person", "method_not_allowed") and said["message"]


@pytest.mark.parametrize("method", ["TRACE", "QUERY", "CONNECT", "PROPFIND", "get", "DELETE", "PUT"])
def test_a_method_that_an_address_does_not_know_is_a_405_that_names_those_it_does(
    api: Callable[..., Any], method: str
) -> None:
    answer = api(method, "/api/v1/interactions/")
    if method == "get":  # a method is written in capitals: this is another one
        assert answer.status_code in (200, 405)
        return
    assert answer.status_code == 405 and answer.json()["code"] == "method_not_allowed"
    assert "GET" in answer["Allow"]


def test_other_refusals_have_the_same_shape(api: Callable[..., Any]) -> None:
    wrong_type = api("POST", "/api/v1/profiles/", b"<a/>", "application/xml")
    assert (wrong_type.status_code, wrong_type.json()["code"]) == (415, "unsupported_media_type")
    wrong_answer = api("GET", "/api/v1/profiles/", Accept="text/html")
    assert (wrong_answer.status_code, wrong_answer.json()["code"]) == (406, "not_acceptable")
    stranger = Client().get("/api/v1/profiles/")
    assert (stranger.status_code, stranger.json()["code"]) == (401, "not_authenticated")
    host = Client(raise_request_exception=False).get("/api/v1/profiles/", headers={"Host": "evil.example"})
    assert host.status_code == 400 and host.json()["code"] == "bad_request"


def test_a_form_of_another_site_is_refused_as_json(user_as: Callable[..., Any]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_as(ADMINISTRATOR))
    answer = client.post("/api/v1/profiles/", {}, content_type="application/json")
    assert answer.status_code == 403 and answer.json()["code"] == "permission_denied"


def test_an_error_of_ours_is_json_without_its_inside(api: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr("profiles.api.profiles.ProfileViewSet.list", broken)
    answer = api("GET", "/api/v1/profiles/")
    assert answer.status_code == 500 and answer["Content-Type"] == "application/json"
    assert answer.json()["code"] == "server_error" and b"secret" not in answer.content
