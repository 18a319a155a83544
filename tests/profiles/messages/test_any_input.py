"""Reading never raises, and a message that it gives can be stored: for any JSON in any field, and any bytes (S1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.identity.graph import Kind
from profiles.messages import reading
from profiles.messages.cutting import cut, names_by_item
from profiles.messages.model import Erased, Message, Origin, Rejection, Rules
from profiles.messages.reading import read_body
from profiles.rejections import REJECTIONS

RULES = Rules(
    {
        name: Kind(name, p, limit)
        for name, p, limit in [("user_id", 1, 1), ("email", 2, 5), ("phone", 3, 5), ("anonymous_id", 9, 50)]
    },
    {"user_id": frozenset({"kiosk"})},
)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GOOD = {"type": "track", "event": "Seen", "userId": "good", "messageId": "good"}
TYPES = ("track", "page", "screen", "identify", "group", "alias")
#: every field that the protocol knows, also inside context and traits
FIELDS = (
    *("type", "event", "userId", "anonymousId", "previousId", "groupId", "messageId", "name", "category"),
    *("timestamp", "originalTimestamp", "sentAt", "receivedAt", "writeKey", "_metadata", "version", "channel"),
    *("context", "traits", "properties", "integrations"),
)
INNER = ("email", "phone", "traits", "externalIds", "device", "consent", "page", "campaign", "id", "name", "\x00", "é")


def origin(endpoint: str = "batch", *, trusted: bool = False) -> Origin:
    return Origin(7, trusted, NOW, 99, endpoint)


def storable(value: Any) -> None:
    """Fail unless PostgreSQL can hold the value as jsonb and every strict reader can read it back."""
    text = msgspec.json.encode(value).decode()
    assert "\\u0000" not in text.replace("\\\\", "")
    strictly = json.loads(text)
    assert msgspec.json.decode(text) == strictly
    for number in numbers_in(strictly):
        assert isinstance(number, float) or -(2**63) <= number < 2**63


def numbers_in(value: Any) -> list[int | float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers_in(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def check(result: Message | Rejection | Erased) -> None:
    """Fail unless this outcome can be written down."""
    if isinstance(result, Erased):
        return
    assert all("\x00" not in value and value.encode() for _kind, value in result.names)
    storable(result.message_id)
    if isinstance(result, Rejection):
        assert result.code in REJECTIONS
        assert REJECTIONS.text(result.code, result.params)
        storable(dict(result.params))
        storable(result.payload)
        return
    storable([result.name, result.traits, result.properties, result.context])
    assert result.identifiers and set(result.identifiers) <= result.names
    assert result.name and len(result.name) <= 200 and 0 < len(result.message_id) <= 128


NUMBERS = st.sampled_from([0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 10**19, 10**40, 1e308, 1e-320, 1.5, True, False])
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", " ", "\x00", "a\x00b", "\ud800", "null", "a@b.nl", "06 12345678", "2026-01-01T00:00:00Z", "x" * 400, *TYPES]
)
LEAVES = st.none() | NUMBERS | TEXTS
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
DEEP = st.integers(1, 60).map(lambda levels: json.loads('{"a":' * levels + "[]" + "}" * levels))
VALUES = JSON | DEEP
EVENTS = st.builds(
    lambda base, odd: {**base, **odd},
    st.sampled_from([GOOD, {**GOOD, "type": "identify"}, {**GOOD, "type": "alias", "previousId": "p"}, {}]),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
)


@settings(max_examples=400, deadline=None)
@given(EVENTS, st.booleans())
def test_any_value_in_any_field_is_a_message_or_a_rejection(event: dict[str, Any], trusted: bool) -> None:
    body = json.dumps({"batch": [GOOD, event, GOOD]}).encode()
    before, odd, after = read_body(body, origin(trusted=trusted), RULES)
    check(odd)
    assert isinstance(before, Message)
    assert isinstance(after, Message)
    assert not (isinstance(odd, Rejection) and odd.code == "unreadable"), "only what nobody foresaw ends there"
    names = odd.names if isinstance(odd, (Message, Rejection)) else frozenset()
    rest = cut(body, "batch", RULES, names.isdisjoint)
    assert (rest is None) == (not names)
    assert rest is None or json.loads(rest)["batch"][0] == GOOD or ("user_id", "good") in names


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["context", "sentAt", "integrations", "writeKey"]), VALUES, max_size=3))
def test_any_envelope_costs_no_item(envelope: dict[str, Any]) -> None:
    body = json.dumps({**envelope, "batch": [GOOD, GOOD]}).encode()
    results = list(read_body(body, origin(), RULES))
    assert len(results) == 2
    for result, names in zip(results, names_by_item(body, "batch", RULES), strict=True):
        check(result)
        assert isinstance(result, Message)
        assert result.names == names


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.sampled_from(TYPES))
def test_any_single_event_is_read(event: dict[str, Any], endpoint: str) -> None:
    for result in read_body(json.dumps(event).encode(), origin(endpoint), RULES):
        check(result)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.sampled_from(["batch", "track"]))
def test_any_bytes_are_read(body: bytes, endpoint: str) -> None:
    for result in read_body(body, origin(endpoint), RULES):
        check(result)
    assert isinstance(names_by_item(body, endpoint, RULES), list)


@pytest.mark.parametrize("odd", ["[]", "{}", "[[]]", "7", "true", '"\\u0000"', '"\\ud800"', "1e999", "9" * 5000])
@pytest.mark.parametrize("field", FIELDS)
def test_an_odd_value_of_a_field_harms_no_neighbour(field: str, odd: str) -> None:
    event = '{"type":"identify","userId":"u","messageId":"m",' if field != "type" else '{"userId":"u",'
    body = f'{{"batch":[{json.dumps(GOOD)},{event}"{field}":{odd}}},{json.dumps(GOOD)}]}}'.encode()
    before, result, after = read_body(body, origin(), RULES)
    check(result)
    assert isinstance(before, Message)
    assert isinstance(after, Message)


def test_an_error_that_nobody_foresaw_is_the_rejection_of_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    real = reading._content

    def fail(item: dict[str, Any], kind: str) -> Any:
        if item["userId"] == "odd":
            raise ZeroDivisionError
        return real(item, kind)

    monkeypatch.setattr(reading, "_content", fail)
    body = json.dumps({"batch": [GOOD, {**GOOD, "userId": "odd"}, GOOD]}).encode()
    before, result, after = read_body(body, origin(), RULES)
    assert isinstance(before, Message)
    assert isinstance(result, Rejection) and result.code == "unreadable"
    assert result.names == {("user_id", "odd")}
    assert isinstance(after, Message)
