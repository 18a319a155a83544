"""Many people and many events in one request: an outcome for each, and one that is wrong costs no other."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from cdp.common.models import AccessLog
from consent.services.erasing import erase_person
from profiles.models import Identifier, Interaction, Profile
from profiles.processing.drain import drain_inbox
from profiles.resolution import people

Token = Callable[..., dict[str, str]]
PEOPLE, EVENTS = "/api/v1/profiles/bulk/", "/api/v1/events/bulk/"


def post(url: str, body: Any, headers: dict[str, str]) -> Any:
    """Send JSON, or lines when the body is a text."""
    if isinstance(body, str):
        return Client().post(url, body, content_type="application/x-ndjson", headers=headers)
    return Client().post(url, json.dumps(body), content_type="application/json", headers=headers)


def someone(key: str, **traits: Any) -> dict[str, Any]:
    """Return an item."""
    return {"identifiers": [{"kind": "user_id", "value": key}], "traits": traits}


@pytest.mark.django_db(transaction=True)
def test_each_person_has_an_outcome_and_bad_ones_harm_nobody(api_token: Token) -> None:
    headers = api_token("Marketer")
    post(PEOPLE, {"items": [someone("gone")]}, headers)
    erase_person(profile_id=Profile.objects.get().pk, actor="system:test", reason="asked")
    items: list[Any] = [
        someone("a", city="Gent"),
        someone("b", city="Ede"),
        someone("a", city="Gent"),
        someone("a", city="Breda"),
        {"identifiers": [{"kind": "shoe_size", "value": "43"}]},
        {"identifiers": [{"kind": "email", "value": "noreply@shop.nl"}]},
        {"identifiers": []},
        {"identifiers": [{"kind": "user_id"}]},
        someone("c", **{"__proto__": 1}),
        {**someone("d"), "colour": "red"},
        "text",
        someone("gone"),
        {"traits": {"email": "e@shop.nl"}},
    ]
    answer = post(PEOPLE, {"items": items}, headers)
    assert answer.status_code == 200, answer.content
    results = answer.json()["results"]
    assert [(row["status"], row["code"], row["field"]) for row in results] == [
        ("created", "", ""),
        ("created", "", ""),
        ("unchanged", "", ""),
        ("updated", "", ""),
        ("rejected", "identifier.kind_unknown", "identifiers"),
        ("rejected", "identifier.junk", "identifiers"),
        ("rejected", "identifier.missing", "identifiers"),
        ("rejected", "invalid_value", "identifiers[0].value"),
        ("rejected", "trait.name_invalid", "__proto__"),
        ("rejected", "unknown_field", "colour"),
        ("rejected", "invalid_value", ""),
        ("rejected", "erased", "identifiers"),
        ("created", "", ""),
    ]
    assert all(row["message"] for row in results if row["status"] == "rejected")
    assert answer.json()["counts"] == {"created": 3, "unchanged": 1, "updated": 1, "rejected": 8}
    assert results[0]["profile_id"] == results[3]["profile_id"]
    assert Identifier.objects.get(value="a").profile.traits["city"] == "Breda"
    assert AccessLog.objects.filter(action="profile.bulk_written").count() == 2
    again = post(PEOPLE, {"items": [items[1], items[-1]]}, headers).json()
    assert [row["status"] for row in again["results"]] == ["unchanged", "unchanged"]


@pytest.mark.django_db(transaction=True)
def test_an_item_that_breaks_in_the_database_is_found_and_left_out(
    api_token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = people.write

    def broken(resolved: Any, assertions: Any, **options: Any) -> Any:
        if ("user_id", "u7") in assertions:
            raise ValueError("what nobody foresaw")
        return real(resolved, assertions, **options)

    monkeypatch.setattr(people, "write", broken)
    answer = post(PEOPLE, {"items": [someone(f"u{n}") for n in range(20)]}, api_token("Marketer")).json()
    assert answer["counts"] == {"created": 19, "rejected": 1}
    assert answer["results"][7]["code"] == "not_storable"


@pytest.mark.django_db(transaction=True)
def test_many_requests_at_once_about_the_same_people_make_each_once(api_token: Token) -> None:
    headers, faults = api_token("Marketer"), []
    statuses: list[str] = []

    def work(number: int) -> None:
        try:
            items = [someone(f"u{(n * 7 + number) % 30}", n=number) for n in range(30)]
            answer = post(PEOPLE, {"items": items}, headers)
            statuses.extend(row["status"] for row in answer.json()["results"])
        except Exception as error:  # noqa: BLE001 - told by the main thread
            faults.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    assert "rejected" not in statuses and statuses.count("created") == 30
    assert Identifier.objects.filter(kind="user_id").count() == Profile.objects.alive().count() == 30


@pytest.mark.django_db(transaction=True)
def test_lines_of_json_are_taken_too(api_token: Token) -> None:
    lines = "\n".join([json.dumps(someone("a")), "{broken", "", json.dumps(someone("b")), '{"identifiers": NaN}'])
    rows = post(PEOPLE, lines, api_token("Marketer")).json()["results"]
    assert [(row["index"], row["status"], row["code"]) for row in rows] == [
        (0, "created", ""),
        (1, "rejected", "invalid_json"),
        (2, "created", ""),
        (3, "rejected", "invalid_json"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("url", [PEOPLE, EVENTS])
def test_a_body_of_another_shape_is_refused(api_token: Token, url: str) -> None:
    headers = api_token()
    for body, code in (
        ([], "invalid_shape"),
        ({"item": []}, "unknown_field"),
        ({"items": [], "x": 1}, "unknown_field"),
        ({"items": [{}] * 1001}, "too_many_items"),
    ):
        answer = post(url, body, headers)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert post(url, {"items": []}, api_token("Analyst")).status_code == 403
    assert Client().get(url, headers=headers).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_events_are_taken_once_and_processed_as_those_of_the_collector(api_token: Token) -> None:
    headers = api_token()
    order = {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "m1", "properties": {"n": 1}}
    items: list[Any] = [
        order,
        {"type": "identify", "userId": "u1", "traits": {"city": "Gent"}},
        {"type": "track", "userId": "u1", "event": ""},
        {"type": "track", "event": "Nobody"},
        {"type": "dance", "userId": "u1"},
        order,
        7,
        {"type": "track", "event": "Big", "userId": "u1", "properties": {"text": "x" * 40_000}},
    ]
    answer = post(EVENTS, {"items": items}, headers)
    assert answer.status_code == 202, answer.content
    assert [(row["status"], row["code"]) for row in answer.json()["results"]] == [
        ("accepted", ""),
        ("accepted", ""),
        ("rejected", "no_event_name"),
        ("rejected", "no_user_anon_id"),
        ("rejected", "unknown_type"),
        ("duplicate", ""),
        ("rejected", "not_an_object"),
        ("rejected", "event_too_large"),
    ]
    drain_inbox(seconds=30)
    assert sorted(Interaction.objects.values_list("name", flat=True)) == ["Identified", "Order Completed"]
    assert Identifier.objects.get(value="u1").profile.traits["city"] == "Gent"
    again = post(EVENTS, json.dumps(order) + "\nnonsense", headers).json()
    assert [(row["status"], row["code"]) for row in again["results"]] == [
        ("duplicate", ""),
        ("rejected", "invalid_json"),
    ]
    assert AccessLog.objects.filter(action="event.bulk_sent").count() == 2
