"""Every hostile input of the list gets its stable code, and its neighbours land."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from profiles.identity.graph import Kind
from profiles.identity.junk import is_junk
from profiles.identity.normalise import normal_email, normalise
from profiles.messages.limits import LIMITS, MAX_EVENT
from profiles.messages.model import Erased, Message, Origin, Rejection, Rules
from profiles.messages.reading import read_body

RULES = Rules(
    {
        name: Kind(name, p, limit)
        for name, p, limit in [("user_id", 1, 1), ("email", 2, 5), ("phone", 3, 5), ("anonymous_id", 9, 50)]
    }
)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GOOD = '{"type":"track","event":"Seen","userId":"good","messageId":"good"}'


def origin(*, trusted: bool = False) -> Origin:
    return Origin(7, trusted, NOW, 99, "batch")


def read(*items: Any, trusted: bool = False, **envelope: Any) -> list[Message | Rejection | Erased]:
    body = json.dumps({"batch": list(items), **envelope}).encode()
    return list(read_body(body, origin(trusted=trusted), RULES))


def one(item: Any, *, trusted: bool = False, **envelope: Any) -> Message:
    result = read(item, trusted=trusted, **envelope)[0]
    assert isinstance(result, Message), result
    return result


TRACK = {"type": "track", "event": "Seen", "userId": "u1"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"type":"track","event":"x","userId":1e999}', "number_out_of_range"),
        ('{"type":"track","event":"x","userId":"a","properties":{"n":' + "9" * 40 + "}}", "number_out_of_range"),
        ('{"type":"track","event":"x","userId":"a","properties":' + '{"a":' * 14 + "1" + "}" * 14 + "}", "too_deep"),
        ('{"type":"track","event":"x","userId":"a","properties":{"a\\u0000":1}}', "invalid_name"),
        ('{"type":"track","userId":"a"}', "no_event_name"),
        ('{"event":"x","userId":"a"}', "missing_type"),
        ('{"type":"dance","userId":"a"}', "unknown_type"),
        ('{"type":"track","event":"x"}', "no_user_anon_id"),
        ('{"type":"track","event":"x","userId":null,"anonymousId":null}', "no_user_anon_id"),
        ('{"type":"track","event":"x","userId":"[object Object]"}', "junk_identifier"),
        ('{"type":"track","event":"x","userId":"a","messageId":{"a":1}}', "invalid_message_id"),
        ('{"type":"track","event":"x","userId":"a","messageId":"' + "m" * 129 + '"}', "message_id_too_long"),
        ('{"type":"alias","userId":"a"}', "no_alias_ids"),
        ('{"type":"group","userId":"a"}', "no_group_id"),
        ('{"type":"identify","userId":"a","traits":[1]}', "not_an_object"),
        ('{"type":"track","event":"x","userId":"a","properties":{"a":"' + "x" * 33000 + '"}}', "event_too_large"),
        ("3", "not_an_object"),
    ],
)
def test_a_bad_message_is_rejected_with_its_code_and_its_neighbours_land(text: str, code: str) -> None:
    body = ('{"batch":[' + ",".join([GOOD, text, GOOD]) + "]}").encode()
    before, bad, after = read_body(body, origin(), RULES)
    assert isinstance(bad, Rejection)
    assert bad.code == code
    assert isinstance(before, Message)
    assert isinstance(after, Message)
    json.dumps(bad.payload).encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b'{"a":' * 5000, "too_deep"),
        (b"[]", "invalid_shape"),
        (b"{}", "invalid_shape"),
        (b'{"batch":[NaN]}', "invalid_json"),
    ],
)
def test_a_broken_body_is_one_rejection(body: bytes, code: str) -> None:
    results = list(read_body(body, origin(), RULES))
    assert [result.code for result in results if isinstance(result, Rejection)] == [code]


def test_nul_and_half_characters_are_mended_in_values() -> None:
    text = b'{"batch":[{"type":"track","event":"a\\u0000b","userId":"x\\ud800","properties":{"p":"\\udfff\\u0000"}}]}'
    (message,) = read_body(text, origin(), RULES)
    assert isinstance(message, Message)
    assert message.name == "ab"
    assert message.properties == {"p": "\ufffd"}
    assert message.identifiers == (("user_id", "x\ufffd"),)


def test_ids_are_text_and_null_is_absent() -> None:
    assert one({**TRACK, "userId": 42, "anonymousId": None}).identifiers == (("user_id", "42"),)


def test_a_message_without_id_gets_that_of_its_place_so_that_a_replay_is_no_news() -> None:
    assert one(TRACK).key == one(TRACK).key
    first, second = read(TRACK, TRACK)
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert first.key != second.key


def test_a_retry_with_another_send_time_has_the_same_payload() -> None:
    item = {**TRACK, "messageId": "m"}
    assert (
        one({**item, "sentAt": "2026-11-23T11:00:00Z"}).digest == one({**item, "sentAt": "2026-11-23T11:59:00Z"}).digest
    )
    assert one(item).digest != one({**item, "event": "Other"}).digest


def test_a_skewed_clock_is_corrected_and_an_absurd_one_is_not() -> None:
    original, sent = NOW - timedelta(hours=3), NOW - timedelta(hours=2)
    message = one({**TRACK, "timestamp": original.isoformat(), "sentAt": sent.isoformat()})
    assert message.occurred_at == NOW - timedelta(hours=1)
    assert message.context["collection"]["original"] == original.isoformat()
    absurd = one({**TRACK, "timestamp": original.isoformat()}, sentAt="2020-01-01T00:00:00Z")
    assert absurd.occurred_at == original


def test_the_way_over_the_network_is_no_skew() -> None:
    """D12: corrected by milliseconds, events of one client change places and midnight falls on the day before."""
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    ahead = (NOW + timedelta(milliseconds=40)).isoformat()
    backfilled = one({**TRACK, "timestamp": midnight.isoformat()}, sentAt=ahead)
    assert backfilled.occurred_at == midnight
    times = [NOW - timedelta(seconds=9), NOW - timedelta(seconds=9, milliseconds=-5)]
    sent = [NOW - timedelta(milliseconds=3), NOW - timedelta(milliseconds=900)]
    happened = [
        one({**TRACK, "timestamp": at.isoformat(), "sentAt": on.isoformat()}).occurred_at
        for at, on in zip(times, sent, strict=True)
    ]
    assert happened == times
    assert "collection" not in backfilled.context


def test_a_time_that_the_sender_states_beside_that_of_the_call_wins() -> None:
    """D4: rudder-sdk-node sends `timestamp` beside `originalTimestamp`, which is now."""
    call, stated, sent = NOW - timedelta(hours=1), NOW - timedelta(days=300), NOW - timedelta(minutes=59)
    both = {"originalTimestamp": call.isoformat(), "timestamp": stated.isoformat(), "sentAt": sent.isoformat()}
    assert one({**TRACK, **both}).occurred_at == stated
    same = one({**TRACK, **both, "timestamp": call.strftime("%Y-%m-%dT%H:%M:%SZ")})
    assert same.occurred_at == call + timedelta(minutes=59)
    assert one({**TRACK, **both, "timestamp": "soon"}).occurred_at == call + timedelta(minutes=59)


@pytest.mark.parametrize(
    "stamp",
    [
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "2026-02-30",
        "soon",
        -1e300,
        {"a": 1},
        "2026-11-26T12:00:00Z",
        "1970-01-01T00:00:00Z",
    ],
)
def test_an_impossible_time_becomes_the_time_of_receipt_with_a_warning(stamp: Any) -> None:
    message = one({**TRACK, "timestamp": stamp})
    assert message.occurred_at == NOW
    assert message.context["collection"]["warning"]


def test_milliseconds_since_the_epoch_are_a_time() -> None:
    assert one({**TRACK, "timestamp": NOW.timestamp() * 1000}).occurred_at == NOW


def test_the_envelopes_context_and_send_time_reach_every_item() -> None:
    item = {**TRACK, "context": {"locale": "nl"}, "originalTimestamp": (NOW - timedelta(minutes=9)).isoformat()}
    message = one(
        item, context={"locale": "en", "app": {"name": "shop"}}, sentAt=(NOW - timedelta(minutes=5)).isoformat()
    )
    assert message.context["locale"] == "nl"
    assert message.context["app"] == {"name": "shop"}
    assert message.occurred_at == NOW - timedelta(minutes=4)


def test_traits_come_from_the_root_or_from_the_context() -> None:
    identify = {"type": "identify", "userId": "u1"}
    assert one({**identify, "traits": {"plan": "pro"}}).traits == {"plan": "pro"}
    assert one({**identify, "context": {"traits": {"plan": "pro"}}}).traits == {"plan": "pro"}
    assert one({**TRACK, "context": {"traits": {"plan": "pro"}}}).traits is None


def test_a_public_key_claims_an_address_and_a_secret_key_states_it() -> None:
    item = {"type": "identify", "anonymousId": "a1", "traits": {"email": " Anna@Shop.NL ", "consent": True}}
    claimed, stated = one(item), one(item, trusted=True)
    assert claimed.identifiers == (("anonymous_id", "a1"), ("email", "anna@shop.nl"))
    assert claimed.traits == {"email": " Anna@Shop.NL "}
    assert stated.identifiers[0] == ("email", "anna@shop.nl")
    assert stated.traits is not None
    assert stated.traits["consent"] is True


def test_an_alias_of_oneself_links_nothing() -> None:
    assert one({"type": "alias", "userId": "u1", "previousId": "u1"}).identifiers == (("user_id", "u1"),)
    both = one({"type": "alias", "userId": "u2", "previousId": "u1"})
    assert both.identifiers == (("user_id", "u2"), ("anonymous_id", "u1"))


def test_further_identifiers_of_kinds_that_there_are_come_along() -> None:
    others = [{"type": "phone", "id": "+31612345678"}, {"type": "shoe", "id": "38"}, {"type": "email", "id": "x"}, 7]
    message = one({**TRACK, "context": {"externalIds": others}})
    assert message.identifiers == (*one(TRACK).identifiers, ("phone", "+31612345678"))


@pytest.mark.parametrize(
    "value",
    [
        "null",
        '"null"',
        "undefined",
        "NaN",
        "0",
        "000-000",
        "00000000-0000-0000-0000-000000000000",
        "-1",
        "anonymous",
        "guest",
        "Unknown",
        "n/a",
        "{{userId}}",
        "%%EMAIL%%",
        "*|EMAIL|*",
        "true",
        "distinct_id",
        "(null)",
        "[null]",
        "<nil>",
        "ＮＵＬＬ",
        "%7B%7BuserId%7D%7D",
        "%7b%7b user.id %7d%7d",
        "[userId]",
        "<user_id>",
        "test@test.com",
        "noreply@shop.nl",
    ],
)
def test_values_that_stand_for_nobody_are_junk(value: str) -> None:
    assert is_junk("user_id", value)


def test_role_mailboxes_and_well_known_fakes_are_junk_and_people_are_not() -> None:
    assert is_junk("email", "noreply@shop.nl")
    assert is_junk("email", "test@test.com")
    assert not is_junk("email", "anna@shop.nl")
    assert is_junk("user_id", "Kiosk-1", ["kiosk-1"])
    for value in ("u-1001", "50%", "a[1]", "nullsoft", "(020) 123", "José", "100%25", "anna@shop.nl"):
        assert not is_junk("user_id", value), value


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (" Anna@Shop.NL. ", "anna@shop.nl"),
        ("an\u200bna@shop.nl", "anna@shop.nl"),
        ("\u202eanna@shop.nl", "anna@shop.nl"),
        ("jose\u0301@shop.nl", "jos\u00e9@shop.nl"),
        ("anna@b\u00fccher.de", "anna@xn--bcher-kva.de"),
        ("no address", ""),
        ("a@b@c.nl", ""),
        ("x" * 300 + "@shop.nl", ""),
    ],
)
def test_an_address_has_one_form(given: str, wanted: str) -> None:
    assert normal_email(given) == wanted


def test_an_address_that_looks_like_another_is_another() -> None:
    assert normal_email("anna@sh\u043ep.nl") not in ("", "anna@shop.nl")


def test_what_is_no_value_is_no_identifier() -> None:
    junk: tuple[object, ...] = (None, True, {}, [], " ", "x" * 400)
    assert [normalise("user_id", value) for value in junk] == [""] * 6
    assert normalise("phone", "06 - 1234 5678") == "+31612345678"


def test_a_number_too_large_costs_the_trait_and_not_the_address_beside_it() -> None:
    item = {"type": "identify", "userId": "u1", "traits": {"email": "anna@shop.nl", "card": 10**19, "n": 2**63 - 1}}
    message = one(item, trusted=True)
    assert message.traits == {"email": "anna@shop.nl", "n": 2**63 - 1}
    assert message.context["collection"]["left_out"] == [["traits.card", "number_out_of_range"]]
    in_context = one({"type": "identify", "userId": "u1", "context": {"traits": {"plan": "pro", "a\x00": 1}}})
    assert in_context.traits == {"plan": "pro"}
    assert in_context.left_out == (("context.traits.a", "invalid_name"),)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"properties": {"lines": [{"sku": 1}, {"sku": 10**19}]}}, "properties.lines.1.sku"),
        ({"userId": 10**19}, "userId"),
    ],
)
def test_the_place_of_a_number_too_large_is_named(fields: dict[str, Any], place: str) -> None:
    (result,) = read({**TRACK, **fields})
    assert isinstance(result, Rejection)
    assert (result.code, result.params) == ("number_out_of_range", {"place": place})
    assert str(10**19) in json.dumps(result.payload), "it is kept as text, for a person to send again"


DEEP = json.loads('{"a":' * 14 + "1" + "}" * 14)


@pytest.mark.parametrize(
    ("fields", "left_out", "kept"),
    [
        ({"traits": {"n": 10**20, "plan": "pro"}}, ("traits.n", "number_out_of_range"), {"plan": "pro"}),
        ({"traits": {"card": {"n": -(10**20), "a": 1}}}, ("traits.card.n", "number_out_of_range"), {"card": {"a": 1}}),
        ({"traits": {"lines": [1, 10**20], "a": 1}}, ("traits.lines", "number_out_of_range"), {"a": 1}),
        ({"traits": {"a\0": 1, "b": "x\0y"}}, ("traits.a", "invalid_name"), {"b": "xy"}),
        ({"traits": {"text": "x" * 9000, "a": 1}}, ("traits.text", "value_too_long"), {"a": 1}),
        ({"traits": {"text": "x" * 40_000, "a": 1}}, ("traits.text", "value_too_long"), {"a": 1}),
        ({"traits": {"a/b": 1, "a": 1}}, ("traits.a/b", "invalid_name"), {"a": 1}),
        ({"traits": {"consent": True, "a": 1}}, ("traits.consent", "protected"), {"a": 1}),
        ({"traits": {"phone": "06-12", "a": 1}}, ("phone", "no_identifier"), {"phone": "06-12", "a": 1}),
        ({"traits": {"a": 1}, "context": {"s": {"n": 10**20}}}, ("context.s.n", "number_out_of_range"), {"a": 1}),
        ({"context": {"traits": {"text": "x" * 9000, "a": 1}}}, ("context.traits.text", "value_too_long"), {"a": 1}),
    ],
)  # fmt: skip
def test_a_bad_value_costs_itself_and_is_named(fields: dict[str, Any], left_out: tuple[str, str], kept: Any) -> None:
    message = one({"type": "identify", "userId": "u1", **fields})
    assert (message.left_out, message.traits) == ((left_out,), kept)
    assert message.context["collection"]["left_out"] == [list(left_out)]


def test_what_nests_too_deeply_is_cut_where_it_does() -> None:
    message = one({"type": "identify", "userId": "u1", "traits": {"tree": DEEP, "a": 1}})
    ((place, code),) = message.left_out
    assert code == "too_deep" and place.startswith("traits.tree.a.a") and message.traits and message.traits["a"] == 1


def test_a_track_keeps_its_bad_context_out_and_is_rejected_for_its_own_fields() -> None:
    message = one({**TRACK, "context": {"device": {"id": 10**20, "type": "ios"}, "locale": "nl-NL"}})
    assert message.left_out == (("context.device.id", "number_out_of_range"),)
    assert message.context["device"] == {"type": "ios"} and message.context["locale"] == "nl-NL"
    (rejected,) = read({**TRACK, "properties": {"total": 10**20}})
    assert isinstance(rejected, Rejection) and rejected.params == {"place": "properties.total"}


EXTERNAL: list[dict[str, Any]] = [
    {"id": "06-12345678", "type": "phone", "collection": "users", "encoding": "none"},
    {"id": "anna@shop.nl", "type": "email"},
    {"id": "a1", "type": "ga_client_id"},
    {"id": "9c1185a5c5e9fc54612808977ee8f548b2258d31", "type": "email", "encoding": "sha1"},
    {"id": "42", "type": "user_id", "collection": "accounts"},
]


def test_external_ids_of_known_kinds_are_identifiers_and_the_others_are_named() -> None:
    item = {**TRACK, "context": {"externalIds": EXTERNAL}}
    told = one(item, trusted=True)
    assert set(told.identifiers) >= {("phone", "+31612345678"), ("email", "anna@shop.nl")}
    assert not {"9c1185a5c5e9fc54612808977ee8f548b2258d31", "a1", "42"} & {value for _kind, value in told.identifiers}
    assert told.left_out == (
        ("context.externalIds.ga_client_id", "unknown_kind"),
        ("context.externalIds.email", "unknown_kind"),
        ("context.externalIds.user_id", "unknown_kind"),
    )
    claimed = one(item)  # a public key claims them: everything hangs on the user id, and the links are weak
    assert claimed.identifiers[0][0] in ("user_id", "anonymous_id")


def test_nul_in_the_envelopes_send_time_is_taken_out() -> None:
    old = (NOW - timedelta(days=40)).isoformat()
    (message,) = read({**TRACK, "timestamp": old + "\x00"}, sentAt="2026-11-23T12:00:00\x00Z")
    assert isinstance(message, Message)
    assert "\x00" not in str(message.context)


def test_every_limit_of_an_event_is_held_under_the_code_of_the_table() -> None:
    beyond = {
        "event": {**TRACK, "properties": {"text": "x" * MAX_EVENT.value}},
        "event nesting": {**TRACK, "properties": json.loads('{"a":' * 12 + "1" + "}" * 12)},
        "messageId": {**TRACK, "messageId": "m" * 129},
        "event name": {**TRACK, "event": "x" * 201},
        "integer": {**TRACK, "properties": {"n": 2**63}},
    }
    limits = {limit.name: limit for limit in LIMITS if limit.enforced == "event"}
    assert beyond.keys() == limits.keys()
    for name, item in beyond.items():
        (result,) = read(item)
        assert isinstance(result, Rejection)
        assert result.code == limits[name].code


def test_an_erased_item_keeps_its_place() -> None:
    body = b'{"batch":[{"erased":true},' + GOOD.encode() + b"]}"
    first, second = read_body(body, origin(), RULES)
    assert isinstance(first, Erased)
    assert isinstance(second, Message)
    assert second.position == 1
