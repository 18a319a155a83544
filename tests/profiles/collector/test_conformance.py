"""What existing SDKs need of the collector, rule by rule (the numbers are those of the protocol's checklist)."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async

from profiles.messages.limits import MAX_BODY
from profiles.models import Source
from profiles.services.sources import rotate_key, set_enabled
from tests.profiles.collector.endpoint import (
    EVENT,
    at_the_door,
    browser_source,
    configuration,
    inbox_ids,
    knock,
    post,
    server_source,
    stored,
)

pytestmark = pytest.mark.django_db(transaction=True)
ENDPOINTS = ("identify", "track", "page", "screen", "group", "alias")
SHORT = {
    "i": "identify",
    "t": "track",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
}


def test_every_address_takes_events_with_and_without_a_slash_and_never_redirects() -> None:  # 1, 3
    _source, key = server_source()
    single = {
        **{f"/v1/{name}": name for name in ENDPOINTS},
        **{f"/v1/{short}": name for short, name in SHORT.items()},
    }
    batch = dict.fromkeys(("/v1/batch", "/v1/b", "/b", "/v1/import", "/import", "/beacon/v1/batch"), "batch")

    async def visit(client: httpx.AsyncClient) -> list[tuple[str, httpx.Response]]:
        answers = []
        for path, endpoint in {**single, **batch}.items():
            body = {"batch": [EVENT]} if endpoint == "batch" else EVENT
            for variant in (path, path + "/"):
                answers.append((variant, await client.post(variant, json=body, auth=(key, ""))))
        return answers

    answers = at_the_door(visit)
    assert {(answer.status_code, answer.text) for _path, answer in answers} == {(200, '{"success":true}')}
    rows = stored()
    assert [row.endpoint for row in rows] == [name for name in [*single.values(), *batch.values()] for _ in range(2)]
    assert [row.id for row in rows] == inbox_ids()


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", None],
)
def test_the_content_type_is_ignored(content_type: str | None) -> None:  # 2
    _source, key = server_source()
    headers = {"content-type": content_type} if content_type else {}
    body = gzip.compress(json.dumps({"batch": [EVENT]}).encode())
    answer = post("/v1/batch", body, key, headers={**headers, "content-encoding": "gzip"})
    assert answer.status_code == 200
    assert json.loads(bytes(stored()[0].body)) == {"batch": [EVENT]}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        ("/v1/track", b"{", {}, 400, "invalid_json"),
        ("/v1/batch", b'{"batch":{}}', {}, 400, "invalid_shape"),
        ("/v1/track", b" " * (MAX_BODY.value + 1), {}, 400, "body_too_large"),
        (
            "/v1/track",
            gzip.compress(bytes(50_000_000)),
            {"content-encoding": "gzip"},
            400,
            "body_too_large",
        ),
        ("/v1/track", b"{}", {"content-encoding": "br"}, 400, "unsupported_encoding"),
        ("/v1/unknown", b"{}", {}, 404, "not_found"),
    ],
)
def test_refusals_are_json_with_a_code_and_a_message(  # 4, 5
    path: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    _source, key = server_source()
    answer = post(path, body, key, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    assert not stored()


def test_an_unknown_a_missing_and_a_disabled_key_are_told_apart() -> None:  # 5
    source, key = server_source()
    set_enabled(source_id=source.pk, enabled=False)
    assert _code(post("/v1/track", EVENT, "kb_sec_nonsense")) == (401, "invalid_key")
    assert _code(knock("POST", "/v1/track", json=EVENT)) == (401, "missing_key")
    assert _code(post("/v1/track", EVENT, key)) == (403, "source_disabled")
    assert _code(post("/v1/track", EVENT, "x" * 5000)) == (401, "invalid_key")
    assert not stored()


def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    "way",
    ["basic", "basic without colon", "body", "bearer and body", "first event", "query"],
)
def test_a_browser_key_is_taken_wherever_an_sdk_puts_it(way: str) -> None:
    source, key = browser_source()
    request: dict[str, Any] = {"path": "/v1/track", "json": EVENT}
    if way == "basic":
        request["auth"] = (key, "")
    elif way == "basic without colon":
        request["headers"] = {"authorization": "Basic " + base64.b64encode(key.encode()).decode()}
    elif way == "body":
        request["json"] = {**EVENT, "writeKey": key}
    elif way == "bearer and body":
        request |= {
            "json": {**EVENT, "writeKey": key},
            "headers": {"authorization": "Bearer oauth-token"},
        }
    elif way == "first event":
        request |= {"path": "/v1/b", "json": {"batch": [{**EVENT, "writeKey": key}]}}
    else:
        request["path"] = f"/v1/track?writeKey={key}"
    answer = knock("POST", request.pop("path"), **request)
    assert answer.status_code == 200
    assert stored()[0].source_id == source.pk


def test_a_secret_key_is_refused_in_an_address_and_never_stored() -> None:
    _source, key = server_source()
    assert _code(knock("POST", f"/v1/track?writeKey={key}", json=EVENT)) == (
        401,
        "secret_key_in_address",
    )
    assert post("/v1/track", {**EVENT, "writeKey": key}, key).status_code == 200
    assert key.encode() not in bytes(stored()[0].body)


def test_too_many_events_are_told_when_to_come_back() -> None:  # 5
    _source, key = server_source()
    config = configuration(events_per_second=10)

    async def visit(client: httpx.AsyncClient) -> list[httpx.Response]:
        body = {"batch": [EVENT] * 20}
        return [
            await client.post(
                "/v1/batch",
                json=body,
                auth=(key, ""),
                headers={"origin": "https://a.example"},
            )
            for _ in "12"
        ]

    first, second = at_the_door(visit, config=config)
    assert first.status_code == 200
    assert _code(second) == (429, "rate_limited")
    assert int(second.headers["retry-after"]) == int(second.headers["x-ratelimit-reset"]) == 2
    assert "Retry-After" in second.headers["access-control-expose-headers"]


def test_a_preflight_is_answered_with_what_sdks_send() -> None:  # 6
    browser_source()

    async def visit(client: httpx.AsyncClient) -> httpx.Response:
        await client.post("/v1/track", json=EVENT)  # the sources are known from here on
        return await client.options("/v1/t", headers={"origin": "https://www.example.org"})

    answer = at_the_door(visit)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://www.example.org"
    assert answer.headers["vary"] == "Origin"
    assert int(answer.headers["access-control-max-age"]) > 0
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed >= {
        "authorization", "content-type", "x-retry-count", "anonymousid", "sentat", "rsa-retry-attempt",
        "rsa-retry-reason", "rsa-since-last-attempt", "rsa-since-first-attempt", "rsa-recovered",
    }  # fmt: skip


def test_a_source_with_a_list_takes_events_of_its_own_pages_only() -> None:  # 6
    _source, key = browser_source(allowed_origins=["https://www.example.org"])
    inside = post("/v1/t", EVENT, key, headers={"origin": "https://www.example.org"})
    outside = post("/v1/t", EVENT, key, headers={"origin": "https://evil.example"})
    assert inside.status_code == 200
    assert inside.headers["access-control-allow-origin"] == "https://www.example.org"
    assert _code(outside) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in outside.headers
    assert len(stored()) == 1


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_cookies_may_come_along_from_a_page_that_a_source_names_and_from_no_other(method: str) -> None:
    _source, listed = browser_source(allowed_origins=["https://*.example.org"])
    _open, unlisted = browser_source(name="Any page")

    async def visit(client: httpx.AsyncClient) -> list[str | None]:
        await client.post("/v1/t", json=EVENT)  # the sources are known from here on
        seen = []
        for origin, key in (
            ("https://www.example.org", listed),
            ("https://other.example", unlisted),
            ("null", unlisted),
        ):
            answer = await client.request(method, "/v1/t", json=EVENT, auth=(key, ""), headers={"origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
            seen.append(answer.headers.get("access-control-allow-credentials"))
        return seen

    assert at_the_door(visit) == ["true", None, None]


def test_rudderstack_for_go_is_told_that_there_is_one_server() -> None:
    assert knock("GET", "/cluster-info").json() == {"nodeCount": 1}


def test_a_batch_of_four_megabytes_passes() -> None:  # 7
    _source, key = server_source()
    event = {**EVENT, "properties": {"text": "x" * 30_000}}
    body = json.dumps({"batch": [event] * 138}).encode()
    assert 4_000_000 < len(body) <= MAX_BODY.value
    assert post("/v1/batch", body, key).status_code == 200
    assert bytes(stored()[0].body) == body


def test_the_sdks_own_statistics_are_answered_and_dropped() -> None:
    assert knock("POST", "/v1/m", json={"series": []}).text == '{"success":true}'
    assert not stored()


def test_the_body_is_kept_verbatim_with_address_and_browser() -> None:
    _source, key = server_source()
    body = b'{"type":"track",  "event":"A",\n"userId":1}'
    post(
        "/v1/track",
        body,
        key,
        headers={"user-agent": "Agent/1.0 \u00e9".encode("latin-1")},
    )
    row = stored()[0]
    assert bytes(row.body) == body
    assert (str(row.ip).partition("/")[0], row.user_agent) == (
        "203.0.113.0",
        "Agent/1.0 é",
    )


def test_the_whole_address_is_kept_where_the_installation_says_so() -> None:
    _source, key = server_source()
    post("/v1/track", EVENT, key, config=configuration(truncate_ip=False))
    assert str(stored()[0].ip).partition("/")[0] == "203.0.113.77"


def test_an_old_key_works_until_its_overlap_ends() -> None:
    source, old = server_source()
    _source, middle = rotate_key(source_id=source.pk, overlap_hours=24)
    assert post("/v1/track", EVENT, old).status_code == 200
    assert post("/v1/track", EVENT, middle).status_code == 200
    _source, new = rotate_key(source_id=source.pk, overlap_hours=0)
    assert post("/v1/track", EVENT, middle).status_code == 401
    assert post("/v1/track", EVENT, new).status_code == 200


def test_a_source_made_a_moment_ago_is_known_at_once_and_one_switched_off_is_refused() -> None:
    async def visit(client: httpx.AsyncClient) -> list[int]:
        first = (await client.post("/v1/track", json=EVENT, auth=("kb_sec_unknown", ""))).status_code
        source, key = await sync_to_async(server_source, thread_sensitive=False)()
        second = (await client.post("/v1/track", json=EVENT, auth=(key, ""))).status_code
        await sync_to_async(set_enabled, thread_sensitive=False)(source_id=source.pk, enabled=False)
        for _ in range(100):  # the news travels by NOTIFY
            third = (await client.post("/v1/track", json=EVENT, auth=(key, ""))).status_code
            if third == 403:
                break
            await asyncio.sleep(0.05)
        return [first, second, third]

    assert at_the_door(visit) == [401, 200, 403]


def test_settings_name_one_integration_with_our_host_and_no_statistics() -> None:
    _source, key = browser_source()
    for path in (
        f"/v1/projects/{key}/settings",
        f"/projects/{key}/settings",
        f"/v1/projects/{key}/settings/",
    ):
        answer = knock("GET", path, headers={"origin": "https://www.example.org"})
        assert answer.headers["access-control-allow-origin"] == "https://www.example.org"
        assert answer.json() == {
            "integrations": {
                "Segment.io": {
                    "apiKey": key,
                    "apiHost": "localhost:8000/v1",
                    "protocol": "http",
                }
            },
            "metrics": {"sampleRate": 0, "host": "localhost:8000/v1"},
            "plan": {"track": {"__default": {"enabled": True}}},
        }


def test_a_foreign_host_header_is_not_echoed() -> None:
    _source, key = browser_source()
    answer = knock("GET", f"/v1/projects/{key}/settings", headers={"host": "evil.example"})
    assert answer.json()["integrations"]["Segment.io"]["apiHost"] == "localhost:8000/v1"


def test_settings_of_a_secret_or_unknown_key_are_refused() -> None:
    _source, key = server_source()
    assert knock("GET", f"/v1/projects/{key}/settings").status_code == 403
    assert knock("GET", "/v1/projects/nonsense/settings").status_code == 401


def test_rudderstack_gets_the_configuration_that_it_checks() -> None:
    source, key = browser_source()
    document = knock("GET", f"/sourceConfig/?p=npm&v=3&writeKey={key}").json()["source"]
    assert document["writeKey"] == key and document["enabled"] is True and document["destinations"] == []
    assert document["id"] == f"source-{source.pk}"
    assert knock("GET", "/sourceConfig", auth=(key, "")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/track"), ("PUT", "/v1/track"), ("POST", "/sourceConfig/")],
)
def test_other_methods_are_refused_in_words(method: str, path: str) -> None:
    answer = knock(method, path)
    assert _code(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"]


def test_the_source_remembers_when_it_was_heard_and_that_its_secret_key_is_in_a_page() -> None:  # A18
    source, key = server_source()
    post("/v1/track", EVENT, key)
    source.refresh_from_db()
    assert source.last_seen_at is not None and source.warning == ""
    assert post("/v1/track", EVENT, key, headers={"origin": "https://www.example.org"}).status_code == 200
    source.refresh_from_db()
    assert source.warning == "server_key_in_browser"
    rotate_key(source_id=source.pk)
    assert Source.objects.get(pk=source.pk).warning == ""


def test_a_full_disk_is_said_before_the_database_has_to_stop(tmp_path: Any) -> None:
    _source, key = server_source()
    answer = post(
        "/v1/track",
        EVENT,
        key,
        config=configuration(watched_dir=tmp_path, min_free_bytes=2**60),
    )
    assert (answer.status_code, answer.json()["code"]) in {(503, "disk_full")}
    assert answer.headers["retry-after"]
