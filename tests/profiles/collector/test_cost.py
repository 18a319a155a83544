"""What a body may cost before its sender showed a key, and that no body keeps the event loop (S3)."""

from __future__ import annotations

import gzip
import json
import secrets
import threading
from typing import Any

import httpx
import pytest

from bench.hostile import packed, shapes
from profiles.collector import intake
from profiles.collector.keys import keys_in, without_key
from profiles.messages.limits import MAX_BODY, MAX_PUBLIC_BODY
from tests.profiles.collector.endpoint import EVENT, browser_source, knock, post, server_source, stored

pytestmark = pytest.mark.django_db(transaction=True)

UNREADABLE = b'{"batch":[' * 20_000


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_key_that_opens_nothing_is_refused_before_its_body_is_looked_at() -> None:
    assert refused(post("/v1/batch", UNREADABLE, "kb_pub_unknown")) == (401, "invalid_key")
    bomb = gzip.compress(bytes(50_000_000))
    headers = {"content-encoding": "gzip"}
    assert refused(post("/v1/batch", bomb, "kb_pub_unknown", headers=headers)) == (401, "invalid_key")


def test_a_large_body_without_a_key_is_not_decoded_to_find_one() -> None:
    server_source()
    assert refused(knock("POST", "/v1/batch", content=UNREADABLE)) == (401, "missing_key")
    with_stray_key = b'{"writeKey":"kb_pub_unknown","batch":' + UNREADABLE
    assert refused(knock("POST", "/v1/batch", content=with_stray_key)) == (401, "invalid_key")


def test_without_a_secret_key_a_body_is_small() -> None:
    _source, public = browser_source()
    _source, secret = server_source()
    large = json.dumps({"batch": [EVENT], "integrations": "x" * MAX_PUBLIC_BODY.value}).encode()
    assert refused(knock("POST", "/v1/batch", content=large)) == (400, "body_too_large")
    assert refused(post("/v1/batch", large, public)) == (400, "body_too_large")
    assert post("/v1/batch", large, secret).status_code == 200
    bomb = packed(bytes(MAX_PUBLIC_BODY.value + 1))
    assert refused(knock("POST", "/v1/batch", content=bomb, headers={"content-encoding": "gzip"})) == (
        400,
        "body_too_large",
    )


@pytest.mark.parametrize("first", ["kb_pub_other", "anything"])
def test_a_key_in_the_body_is_found_beside_others(first: str) -> None:
    _source, key = browser_source()
    event = {**EVENT, "properties": {"writeKey": first, "text": "x" * 40_000}, "writeKey": key}
    assert knock("POST", "/v1/track", content=json.dumps(event).encode()).status_code == 200


def test_a_key_that_is_escaped_in_a_small_body_still_opens() -> None:
    _source, key = browser_source()
    body = json.dumps({**EVENT, "writeKey": key}).replace("kb_pub", "\\u006bb_pub").encode()
    assert keys_in(body) == []
    assert knock("POST", "/v1/track", content=body).status_code == 200


def test_a_secret_key_is_taken_out_of_a_body_however_it_is_escaped() -> None:
    _source, key = server_source()
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in key)
    shouted = "".join(f"\\u00{ord(letter):02X}" if letter in "kz_" else letter for letter in key)
    body = f'{{"userId":"u","event":"E","a":"{key}","b":"{escaped}","c":"{shouted}"}}'.encode()
    assert post("/v1/track", body, key).status_code == 200
    kept = bytes(stored()[0].body)
    assert json.loads(kept) == {"userId": "u", "event": "E", **dict.fromkeys("abc", "(secret key)")}
    assert without_key(b'"\\u00e9"', key) == b'"\\u00e9"'


def test_the_host_of_a_page_is_not_echoed_with_more_behind_its_port() -> None:
    _source, key = browser_source()
    answer = knock("GET", f"/v1/projects/{key}/settings", headers={"host": "localhost:8120@evil.example"})
    assert "evil" not in answer.text


def test_large_bodies_are_worked_on_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long the loop stands still is a figure of `make bench`; here: who does the work."""
    threads: list[str] = []
    for name in ("inflate", "split"):
        real = getattr(intake, name)

        def noted(*args: Any, real: Any = real, **options: Any) -> Any:
            threads.append(threading.current_thread().name)
            return real(*args, **options)

        monkeypatch.setattr(intake, name, noted)
    _source, key = server_source()
    large = json.dumps({"batch": [{**EVENT, "messageId": secrets.token_hex()} for _ in range(1000)]}).encode()
    assert post("/v1/batch", large, key).status_code == 200
    assert post("/v1/batch", packed(large), key, headers={"content-encoding": "gzip"}).status_code == 200
    assert post("/v1/track", EVENT, key).status_code == 200
    beside = [name.startswith("collector-bodies") for name in threads]
    assert beside == [True, True, True, False], "a small one is not worth the way there"


@pytest.mark.parametrize("name", shapes(20))
def test_no_shape_of_a_body_breaks_the_collector(name: str) -> None:
    _source, key = server_source()
    body = shapes(MAX_BODY.value - 1024)[name]
    assert post("/v1/batch", body, key).status_code in (200, 400)
    assert post("/v1/batch", packed(body, "members"), key, headers={"content-encoding": "gzip"}).status_code in (
        200,
        400,
    )
    assert knock("POST", "/v1/batch", content=body).status_code in (400, 401)
