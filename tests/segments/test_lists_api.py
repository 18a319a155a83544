"""Lists over the REST API: made, filled, replaced and read by programs, with an outcome per person."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from profiles.models import Profile
from segments.models import MembershipChange, Segment
from tests.consent.factories import person as known_person
from tests.segments.factories import members, person, segment

pytestmark = pytest.mark.django_db
Tokens = Callable[..., dict[str, str]]
LISTS = "/api/v1/lists/"


def send(method: str, url: str, token: dict[str, str], data: Any = None) -> Any:
    """Send JSON."""
    return Client().generic(method, url, data=json.dumps(data), content_type="application/json", headers=token)


def test_a_list_is_made_filled_read_and_put_away(api_token: Tokens) -> None:
    token = api_token("Marketer")
    made = send("POST", LISTS, token, {"name": "Guests", "description": "of the gala"})
    assert made.status_code == 201, made.content
    assert made.json()["id"] == "guests" and made.json()["member_count"] == 0
    url = f"{LISTS}guests/"
    anna, ben = known_person("anna@example.org"), person()
    given = ["email:Anna@Example.org ", str(ben.uuid), str(uuid4()), "email:nobody@example.org", "nonsense", "x:"]
    told = send("POST", f"{url}members/", token, {"people": given})
    assert told.status_code == 200, told.content
    body = told.json()
    assert [row["outcome"] for row in body["results"]] == [
        "added", "added", "unknown_person", "unknown_person", "unreadable", "unreadable",
    ]  # fmt: skip
    assert body["results"][0] == {"person": given[0], "profile_id": str(anna.uuid), "outcome": "added"}
    assert (body["added"], body["already_in"], body["removed"]) == (2, 0, 0)
    again = send("POST", f"{url}members/", token, {"people": [str(ben.uuid), str(ben.uuid)]}).json()
    assert [row["outcome"] for row in again["results"]] == ["already_in", "already_in"]
    listed = Client().get(f"{url}members/", headers=token).json()
    assert {row["profile_id"] for row in listed["results"]} == {str(anna.uuid), str(ben.uuid)}
    assert set(listed) == {"next", "previous", "results"}
    gone = send("POST", f"{url}members/remove/", token, {"people": ["email:anna@example.org", str(uuid4())]}).json()
    assert [row["outcome"] for row in gone["results"]] == ["removed", "unknown_person"]
    assert send("PATCH", url, token, {"name": "Guests 2027"}).json()["name"] == "Guests 2027"
    assert Client().get(url, headers=token).json()["member_count"] == 1
    assert send("DELETE", url, token).status_code == 204
    assert Client().get(LISTS, headers=token).json()["results"] == []


def test_replacing_answers_what_became_of_each_and_how_many_went(api_token: Tokens) -> None:
    token = api_token("Marketer")
    send("POST", LISTS, token, {"name": "Guests"})
    anna, ben, cas = person(), person(), person()
    at = f"{LISTS}guests/members/"
    send("POST", at, token, {"people": [str(anna.uuid), str(ben.uuid)]})
    told = send("PUT", at, token, {"people": [str(ben.uuid), str(cas.uuid)]}).json()
    assert (told["added"], told["already_in"], told["removed"]) == (1, 1, 1)
    guests = Segment.objects.get(slug="guests")
    assert members(guests) == {ben.pk, cas.pk}
    last = MembershipChange.objects.filter(segment_id=guests.pk).order_by("-id").first()
    assert last is not None and last.cause == "api" and last.actor.startswith("token:")


def test_a_merged_person_leads_to_who_they_are_now_and_a_restricted_one_is_told(api_token: Tokens) -> None:
    token = api_token("Marketer")
    send("POST", LISTS, token, {"name": "Guests"})
    winner, loser, shy = person(), person(), person()
    Profile.objects.filter(pk=loser.pk).update(merged_into=winner)
    Profile.objects.filter(pk=shy.pk).update(restricted_at="2026-01-01T00:00:00Z")
    people = [str(loser.uuid), str(shy.uuid)]
    told = send("POST", f"{LISTS}guests/members/", token, {"people": people}).json()
    assert [(row["profile_id"], row["outcome"]) for row in told["results"]] == [
        (str(winner.uuid), "added"),
        (str(shy.uuid), "restricted"),
    ]


def test_roles_and_junk_are_refused(api_token: Tokens) -> None:
    analyst, marketer = api_token("Analyst"), api_token("Marketer")
    send("POST", LISTS, marketer, {"name": "Guests"})
    at = f"{LISTS}guests/members/"
    assert send("POST", at, analyst, {"people": []}).status_code == 403
    assert send("POST", LISTS, analyst, {"name": "No"}).status_code == 403
    assert Client().get(at, headers=analyst).status_code == 200
    bodies: list[Any] = [
        {"people": [str(uuid4())] * 1001},
        {"people": "x"},
        {"people": [None]},
        {"persons": []},
        {},
        [],
    ]
    for body in bodies:
        answer = send("POST", at, marketer, body)
        assert answer.status_code == 400, body
        assert set(answer.json()) >= {"code", "message"}
    segment("All", {"type": "everyone"})
    assert send("POST", f"{LISTS}all/members/", marketer, {"people": []}).status_code == 404
    assert Client().get(f"{LISTS}all/", headers=marketer).status_code == 404


def test_a_list_stands_among_the_segments_too(api_token: Tokens) -> None:
    token = api_token("Marketer")
    send("POST", LISTS, token, {"name": "Guests"})
    row = Client().get("/api/v1/segments/guests/", headers=token).json()
    assert (row["kind"], row["rule"], row["sentence"]) == ("static", None, None)
    assert [one["kind"] for one in Client().get("/api/v1/segments/?kind=static", headers=token).json()["results"]] == [
        "static"
    ]
    refused = send("PATCH", "/api/v1/segments/guests/", token, {"rule": {"include": {"type": "everyone"}}})
    assert refused.json()["code"] == "segment.is_list"


def test_who_may_not_see_identifiers_may_not_find_people_by_them(api_token: Tokens, user_as: Any) -> None:
    from django.contrib.auth.models import Permission

    user = user_as("Analyst")
    user.user_permissions.add(Permission.objects.get(codename="change_segment"))
    token = api_token("Analyst")
    send("POST", LISTS, api_token("Marketer"), {"name": "Guests"})
    known_person("anna@example.org")
    for address in ("email:anna@example.org", "email:nobody@example.org"):
        answer = send("POST", f"{LISTS}guests/members/", token, {"people": [address]})
        assert (answer.status_code, answer.json()["code"]) == (403, "lookup_hidden")
