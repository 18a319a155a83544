"""A request that is sent again with the same `Idempotency-Key` has one effect, and the same answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from cdp.common.models import ApiAnswer
from consent.models import Purpose
from consent.services import erase_person
from profiles.models import Profile, Source

Token = Callable[..., dict[str, str]]


def send(headers: dict[str, str], key: str, body: Any, path: str = "purposes/") -> Any:
    """Send JSON with a key."""
    headers = {**headers, "Idempotency-Key": key}
    return Client().post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers=headers)


@pytest.mark.django_db
def test_the_second_request_gets_the_answer_of_the_first(api_token: Token) -> None:
    headers = api_token("Privacy officer")
    first = send(headers, "k-1", {"name": "Weekly"})
    second = send(headers, "k-1", {"name": "Weekly"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json() and Purpose.objects.count() == 1
    assert second["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first
    assert send(headers, "k-2", {"name": "Weekly"}).json()["code"] == "consent.name_taken"


@pytest.mark.django_db
def test_a_key_is_for_one_request_of_one_owner(api_token: Token) -> None:
    headers = api_token("Privacy officer")
    assert send(headers, "k", {"name": "One"}).status_code == 201
    other = send(headers, "k", {"name": "Two"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    elsewhere = send(headers, "k", {"name": "One"}, path="purposes/?")
    assert elsewhere.status_code == 201  # an empty query is none
    assert send(api_token("Administrator"), "k", {"name": "Two"}).status_code == 201


@pytest.mark.django_db
def test_what_was_refused_may_come_again(api_token: Token) -> None:
    headers = api_token("Privacy officer")
    assert send(headers, "k", {"name": ""}).status_code == 400
    assert send(headers, "k", {"name": "Now"}).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "a\x7f"])
def test_a_key_that_cannot_be_one_is_refused(api_token: Token, key: str) -> None:
    answer = send(api_token("Privacy officer"), key, {"name": "One"})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert Purpose.objects.count() == 0


@pytest.mark.django_db
def test_a_secret_is_told_once_and_not_kept(api_token: Token) -> None:
    headers, body = api_token(), {"name": "Till", "kind": "server"}
    key = send(headers, "k", body, "sources/").json()["write_key"]
    again = send(headers, "k", body, "sources/")
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_gone")
    assert Source.objects.filter(name="Till").count() == 1
    assert key not in str(list(ApiAnswer.objects.values_list("answer", flat=True)))


@pytest.mark.django_db
def test_an_answer_without_a_body_comes_again(api_token: Token) -> None:
    headers = api_token()
    everybody = {"include": {"type": "everyone"}, "exclude": None}
    send(headers, "a", {"name": "All", "rule": everybody}, "segments/")
    for _time in range(2):
        gone = Client().delete("/api/v1/segments/all/", headers={**headers, "Idempotency-Key": "b"})
        assert (gone.status_code, gone.content) == (204, b"")


@pytest.mark.django_db
def test_an_erasure_empties_the_kept_answers(api_token: Token) -> None:
    headers = api_token()
    body = {"identifiers": [{"kind": "email", "value": "anna@secret.example"}]}
    made = send(headers, "k", body, "profiles/")
    assert made.status_code == 201 and ApiAnswer.objects.exclude(answer=None).exists()
    erase_person(profile_id=Profile.objects.get(uuid=made.json()["id"]).pk, actor="test", reason="asked")
    assert "secret.example" not in str(list(ApiAnswer.objects.values()))
    assert send(headers, "k", body, "profiles/").json()["code"] == "idempotency_answer_gone"


@pytest.mark.django_db(transaction=True)
def test_many_at_once_have_one_effect(api_token: Token) -> None:
    headers, start = api_token(), Barrier(8)

    def ask(_number: int) -> Any:
        start.wait()
        try:
            return send(headers, "k", {"name": "Once"})
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert Purpose.objects.filter(name="Once").count() == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert sum("Idempotent-Replayed" not in answer for answer in answers if answer.status_code == 201) == 1
    assert all(answer.json()["code"] == "idempotency_key_in_use" for answer in answers if answer.status_code == 409)


@pytest.mark.django_db(transaction=True)
def test_what_broke_half_way_left_neither_effect_nor_note(api_token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `kill -9` between the two: the database rolls back what was not committed."""
    headers = api_token()
    client = Client(raise_request_exception=False)

    def send_once() -> Any:
        return client.post(
            "/api/v1/purposes/",
            {"name": "Half"},
            content_type="application/json",
            headers={**headers, "Idempotency-Key": "k"},
        )

    with monkeypatch.context() as patched:
        patched.setattr(ApiAnswer.objects, "create", lambda **_fields: 1 / 0)
        assert send_once().status_code == 500
    assert Purpose.objects.count() == 0
    assert send_once().status_code == 201
