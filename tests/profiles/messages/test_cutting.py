"""Whom a message names, by place and kind; and a body without somebody's messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from profiles.identity.graph import Kind
from profiles.messages.cutting import cut, names_by_item
from profiles.messages.model import Rules
from profiles.messages.reading import ERASED_ITEM

RULES = Rules({name: Kind(name, p, 5) for name, p in [("user_id", 1), ("email", 2), ("phone", 3), ("anonymous_id", 9)]})
ANNA = ("email", "anna@shop.nl")
DEVICE = "6f1c7b1e-5a0c-4c0e-9a50-0d4f1c1a2b3c"


@pytest.mark.parametrize(
    ("item", "names"),
    [
        ({"userId": 42, "properties": {"quantity": 42, "email": "x@y.nl"}}, {("user_id", "42")}),
        ({"anonymousId": "a"}, {("anonymous_id", "a")}),
        ({"previousId": "p", "userId": "u"}, {("user_id", "p"), ("anonymous_id", "p"), ("user_id", "u")}),
        ({"traits": {"email": " Anna@Shop.NL", "phone": "06 12345678"}}, {ANNA, ("phone", "+31612345678")}),
        ({"context": {"traits": {"email": "anna@shop.nl"}}}, {ANNA}),
        ({"context": {"device": {"id": "d"}}}, {("anonymous_id", "d")}),
        ({"context": {"externalIds": [{"id": "anna@shop.nl", "type": "email"}]}}, {ANNA}),
        ({"context": {"externalIds": [{"id": "1", "type": "shoe"}, {"id": 1}, "email", None]}}, set()),
        ({"type": "group", "groupId": "42", "traits": {"email": "info@firm.nl"}}, set()),
        ({"userId": "null", "anonymousId": {}, "traits": [], "context": 7}, set()),
        (["userId", "42"], set()),
    ],
)
def test_identifiers_stand_at_their_places_only(item: Any, names: set[tuple[str, str]]) -> None:
    assert names_by_item(json.dumps({"batch": [item]}).encode(), "batch", RULES) == [names]


def test_the_context_of_a_batch_names_somebody_in_each_item() -> None:
    body = {"context": {"traits": {"email": "anna@shop.nl"}}, "batch": [{"userId": "a"}, 7]}
    assert names_by_item(json.dumps(body).encode(), "batch", RULES) == [{("user_id", "a"), ANNA}, {ANNA}]


def test_others_keep_their_bytes_and_their_places() -> None:
    theirs = b'{ "userId":"b", "properties":{"quantity": 42, "n": 1e2} }'
    body = b'{"sentAt":"2026", "batch":[{"userId":42},' + theirs + b',{"userId":"42"}],"integrations":{"All":true}}'
    rest = cut(body, "batch", RULES, {("user_id", "42")}.isdisjoint)
    assert rest is not None
    assert json.loads(rest) == {
        "sentAt": "2026",
        "batch": [{"erased": True}, json.loads(theirs), {"erased": True}],
        "integrations": {"All": True},
    }
    assert theirs in rest
    assert cut(rest, "batch", RULES, {("user_id", "42")}.isdisjoint) is None, "a second time there is nothing to do"


def test_what_stands_beside_the_batch_goes_with_the_last_of_them() -> None:
    body = json.dumps({"context": {"traits": {"email": "anna@shop.nl"}}, "batch": [{"userId": "a"}]}).encode()
    assert cut(body, "batch", RULES, {("email", "anna@shop.nl")}.isdisjoint) == b'{"batch":[{"erased":true}]}'


def test_a_single_event_is_cut_whole() -> None:
    body = json.dumps({"userId": "u", "anonymousId": DEVICE}).encode()
    assert cut(body, "identify", RULES, {("anonymous_id", DEVICE)}.isdisjoint) == ERASED_ITEM
    assert cut(body, "identify", RULES, {("user_id", DEVICE)}.isdisjoint) is None


def test_a_body_that_cannot_be_read_is_left_alone() -> None:
    assert cut(b"{", "batch", RULES, {("user_id", "u")}.isdisjoint) is None
