"""A token may ask only so often, is told how much is left, and when to come again; guessing tokens is bounded too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from cdp.common.api_limits import Buckets, buckets

Token = Callable[..., dict[str, str]]


@pytest.fixture(autouse=True)
def full(settings: Any) -> Iterator[None]:
    """Full buckets, and limits that a test can reach."""
    settings.API_RATES = {"reads": 0.2, "writes": 0.1, "bulk": 0.1}
    settings.API_FAILURES_PER_MINUTE = 3
    buckets.clear()
    yield
    buckets.clear()


@pytest.mark.django_db
def test_reads_and_writes_of_a_token_are_limited_apart(api_token: Token) -> None:
    headers, other, client = api_token("Privacy officer"), api_token("Administrator"), Client()
    answers = [client.get("/api/v1/purposes/", headers=headers) for _time in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer["RateLimit-Limit"] for answer in answers[:2]] == ["2", "2"]
    assert [answer["RateLimit-Remaining"] for answer in answers[:2]] == ["1", "0"]
    assert int(answers[0]["RateLimit-Reset"]) > 0
    assert answers[2].json()["code"] == "too_many_requests" and int(answers[2]["Retry-After"]) > 0
    made = client.post("/api/v1/purposes/", {"name": "One"}, content_type="application/json", headers=headers)
    assert made.status_code == 201
    assert client.get("/api/v1/purposes/", headers=other).status_code == 200


@pytest.mark.django_db
def test_a_refused_request_has_no_effect(api_token: Token) -> None:
    headers, client = api_token("Privacy officer"), Client()

    def make(name: str) -> int:
        body = {"name": name}
        return client.post("/api/v1/purposes/", body, content_type="application/json", headers=headers).status_code

    assert [make("One"), make("Two")] == [201, 429]
    assert [row["id"] for row in client.get("/api/v1/purposes/", headers=headers).json()["results"]] == ["one"]


@pytest.mark.django_db
def test_an_address_that_guesses_tokens_is_held_up_and_good_tokens_of_others_are_not(api_token: Token) -> None:
    good, client = api_token(), Client()
    wrong = {"Authorization": "Bearer kbt_guess"}
    assert [client.get("/api/v1/purposes/", headers=wrong).status_code for _time in range(4)] == [401, 401, 401, 429]
    assert client.get("/api/v1/purposes/", headers=good, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_a_bucket_fills_again_and_the_oldest_is_forgotten() -> None:
    some = Buckets(most=2)

    def take(name: str, now: float) -> bool:
        return some.take(name, rate=1.0, burst=2.0, now=now).given

    assert [take("a", 0), take("a", 0), take("a", 0.5), take("a", 1.1)] == [True, True, False, True]
    assert take("b", 2) and take("c", 2)  # the bucket of a goes
    assert [take("a", 2), take("a", 2), take("a", 2)] == [True, True, False]
    assert take("a", 1.0) is False  # a clock that went back gives nothing
