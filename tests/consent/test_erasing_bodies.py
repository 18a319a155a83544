"""An erasure reaches every stored body and rejected message, by who stands at the place of an identifier (C2, S5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp.common.models import DeadLetter
from consent.models import Erasure
from consent.services import erase_person
from consent.services.erasing import go_on_with_erasures
from profiles.models import (
    Identifier,
    InboxEntry,
    Interaction,
    RawIdentifier,
    RawMessage,
    RejectedMessage,
    SourceCounter,
)
from profiles.processing.drain import drain_inbox
from profiles.services import stored_bodies
from profiles.services.sources import create_source
from tests.consent.dump import dumped
from tests.profiles.processing.inbox import identify, person, put, send, source, track

pytestmark = pytest.mark.django_db

ADDRESS, DEVICE = "zonnebloem@klantbeeld.example", "zonnebloem-device"
COUNTS = ("received", "stored", "duplicate", "rejected", "erased")


def anna_says(message_id: str, **fields: Any) -> dict[str, Any]:
    return identify(
        message_id, **{"userId": "zonnebloem", "anonymousId": DEVICE, "traits": {"email": ADDRESS}, **fields}
    )


def erase(value: str = "zonnebloem") -> Erasure:
    return erase_person(profile_id=person("user_id", value).pk, actor="test", reason="request")


def bodies() -> list[dict[str, Any]]:
    return [json.loads(bytes(raw.body)) for raw in RawMessage.objects.order_by("id")]


def counted() -> dict[str, int]:
    return SourceCounter.objects.aggregate(**{name: Sum(name) for name in COUNTS})


def put_raw(body: bytes, endpoint: str = "batch", source_id: int | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH raw AS (INSERT INTO profiles_rawmessage (received_at, source_id, endpoint, body, user_agent)"
            " VALUES (now(), %s, %s, %s, 'zonnebloem browser') RETURNING id, received_at, source_id)"
            " INSERT INTO profiles_inbox (raw_id, received_at, source_id, attempts)"
            " SELECT id, received_at, source_id, 0 FROM raw RETURNING raw_id",
            [source_id or source().pk, endpoint, body],
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_dump_of_the_database_holds_nothing_of_the_person() -> None:
    """Retries, conflicts, rejections, a deleted source, waiting and late bodies, dead letters, half-broken bodies."""
    origin, other = source(), create_source(name="Gone", kind="server")[0]
    hers = [anna_says(f"m1{n}", minute=n, traits={"email": ADDRESS, "nickname": "zonnebloem"}) for n in range(5)]
    hers += [track(f"m2{n}", userId="zonnebloem", properties={"note": "zonnebloem"}) for n in range(5)]
    send(origin, anna_says("m1"), track("m2", userId="bert", properties={"quantity": 3}), *hers)
    send(origin, anna_says("m1"))  # a retry
    send(origin, anna_says("m1", traits={"email": ADDRESS, "first_name": "Zonnebloem"}))  # another payload, same id
    rejected: list[dict[str, Any]] = [
        {"type": "dance", "userId": "zonnebloem"},
        {"type": "track", "event": "x", "userId": "zonnebloem", "properties": {"text": "zonnebloem" * 9000}},
        {"type": "identify", "userId": "null", "context": {"traits": {"email": ADDRESS.upper()}}},
        {"type": "track", "event": "x", "anonymousId": DEVICE, "properties": {"n": 10**19}},
    ]
    send(origin, *rejected, track("m3", userId="bert"))
    put(other, [anna_says("m4"), track("m5", userId="bert")])
    other.delete()
    put_raw(b'{"batch":[' + json.dumps({"userId": "zonnebloem"}).encode())  # breaks off
    drain_inbox(seconds=30)
    put_raw(json.dumps(anna_says("m6")).encode(), "identify")
    dead = put_raw(json.dumps({"batch": [anna_says("m7"), track("m8", userId="bert")]}).encode())
    received_at = RawMessage.objects.get(id=dead).received_at
    InboxEntry.objects.filter(raw_id=dead).delete()
    DeadLetter.objects.create(
        queue="inbox",
        key=str(dead),
        reason="error",
        first_tried_at=received_at,
        last_tried_at=received_at,
        payload={"received_at": received_at.isoformat(), "source_id": origin.pk},
    )
    before = dumped()
    assert before.count("zonnebloem") > 20
    counts = erase().counts
    assert counts["profiles_rawmessage"] >= 8
    assert counts["profiles_rejectedmessage"] == 4
    lines = [line for line in dumped().splitlines() if "zonnebloem" in line]
    assert lines == []
    send(origin, anna_says("m98"), track("m99", userId="bert"))  # late
    drain_inbox(seconds=30)
    assert "zonnebloem" not in dumped()
    assert Interaction.objects.filter(profile_id=person("user_id", "bert").pk).count() == 3
    assert "bert" in before


def test_a_number_that_is_somebodys_id_is_no_name_among_properties() -> None:
    """C2: erasing user 42 took away orders of 42 pieces."""
    origin = source()
    send(origin, track("m1", userId=42))
    order = track("m2", userId="bert", properties={"quantity": 42, "of": "42"})
    group = {"type": "group", "messageId": "m3", "userId": "bert", "groupId": "42"}
    raw = put(origin, [order, track("m4", userId="42"), group])
    erase("42")
    assert bodies()[1]["batch"] == [order, {"erased": True}, group]
    drain_inbox(seconds=30)
    assert set(Interaction.objects.values_list("message_id", flat=True)) == {"m2", "m3"}
    assert counted() == {"received": 4, "stored": 3, "duplicate": 0, "rejected": 0, "erased": 1}
    assert RawMessage.objects.get(id=raw).user_agent == ""


def test_a_claimed_address_takes_no_stranger_along() -> None:
    """A public key said that a stranger's address is the erased person's: the stranger's own events stay."""
    shop, till = source("browser"), source("server")
    send(shop, identify("m1", anonymousId="device-1", traits={"email": "stranger@shop.nl"}))
    raw = put(till, [identify("m2", userId="stranger", traits={"email": "stranger@shop.nl"})])
    claimer = person("anonymous_id", "device-1")
    erase_person(profile_id=claimer.pk, actor="test", reason="request")
    assert RawMessage.objects.get(id=raw).body is not None
    drain_inbox(seconds=30)
    assert Interaction.objects.filter(profile_id=person("user_id", "stranger").pk).count() == 1
    assert person("email", "stranger@shop.nl") == person("user_id", "stranger")
    assert bodies()[0] == {"batch": [{"erased": True}]}


def test_every_body_knows_whom_it_names() -> None:
    origin = source()
    send(origin, anna_says("m1"), track("m2", userId="bert"), {"type": "dance", "userId": "carla"})
    send(origin, track("m2", userId="bert"))
    digests = stored_bodies.digests_of
    assert RawIdentifier.objects.filter(digest__in=digests([("user_id", "bert")])).count() == 2
    assert RawIdentifier.objects.filter(digest__in=digests([("user_id", "carla")])).count() == 1
    assert set(RejectedMessage.objects.get().names) == digests([("user_id", "carla")])
    erase()
    everybody = digests([("user_id", "zonnebloem"), ("anonymous_id", DEVICE), ("email", ADDRESS)])
    assert not RawIdentifier.objects.filter(digest__in=everybody).exists()
    assert RawIdentifier.objects.filter(digest__in=digests([("user_id", "bert")])).count() == 2


def test_cutting_is_gone_on_with_after_it_was_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is found by digests: by then nothing else names the person."""
    origin = source()
    for number in range(5):
        send(origin, anna_says(f"m{number}"))
    real, calls = stored_bodies._cut_block, 0

    def die(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise SystemExit
        return real(*arguments)

    monkeypatch.setattr(stored_bodies, "_cut_block", die)
    monkeypatch.setattr(stored_bodies, "fitting", lambda entries: list(entries[:1]))
    with pytest.raises(SystemExit):
        erase()
    receipt = Erasure.objects.get()
    assert receipt.taken_out_at and not receipt.finished_at
    assert sum("zonnebloem" in str(body) for body in bodies()) == 3
    assert go_on_with_erasures(older_than=-receipt.at.resolution) == 1
    assert "zonnebloem" not in str(bodies())
    receipt.refresh_from_db()
    assert receipt.finished_at and receipt.digests == []
    assert receipt.counts["profiles_rawmessage"] == 5


Batches = list[list[tuple[str, dict[str, Any]]]]  # whose message, and the message
PEOPLE = ("42", "anna@shop.nl", "7", "b")
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "quantity": st.sampled_from([42, 7, "42", 42.0]),
        "email": st.just("anna@shop.nl"),
        "list": st.lists(st.sampled_from([42, "b", "anna@shop.nl", None]), max_size=3),
        "userId": st.just("42"),
    },
)


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw whose message it is, and the message; ids repeat now and then, and some messages cannot be stored."""
    who = draw(st.sampled_from(PEOPLE))
    item: dict[str, Any] = {"type": draw(st.sampled_from(["track", "page", "identify", "dance"])), "event": "Seen"}
    item["messageId"] = f"{who}-{draw(st.integers(0, 6))}"
    item["properties"] = draw(PROPERTIES)
    if "@" in who:
        item["context"] = {"traits": {"email": draw(st.sampled_from([who, who.upper()]))}}
    if "@" not in who or draw(st.booleans()):
        item["userId"] = f"id-{who}" if "@" in who else int(who) if who.isdecimal() and draw(st.booleans()) else who
    return who, item


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(messages(), min_size=1, max_size=6), min_size=1, max_size=4),
    st.lists(st.lists(messages(), min_size=1, max_size=6), min_size=1, max_size=4),
    st.sampled_from(["42", "anna@shop.nl"]),
)
def test_no_erasure_loses_anybody_elses_event(before: Batches, waiting: Batches, victim: str) -> None:
    """Whatever waits when somebody is erased: all others' events count, once, and the counts add up."""
    with roll_back():
        check_counts(before, waiting, victim)


@contextmanager
def roll_back() -> Iterator[None]:
    """Begin each example of the property with an empty database."""
    with transaction.atomic():
        point = transaction.savepoint()
        try:
            yield
        finally:
            transaction.savepoint_rollback(point)


def check_counts(before: Batches, waiting: Batches, victim: str) -> None:
    origin = source()
    for batch in before:
        put(origin, [item for _who, item in batch])
    drain_inbox(seconds=30)
    for batch in waiting:
        put(origin, [item for _who, item in batch])
    known = Identifier.objects.filter(value=victim).first()
    if known is not None:
        erase_person(profile_id=known.profile_id, actor="test", reason="request")
    drain_inbox(seconds=30)
    everything = [pair for batch in [*before, *waiting] for pair in batch]
    counts = counted()
    assert counts["received"] == len(everything)
    assert counts["received"] == counts["stored"] + counts["duplicate"] + counts["rejected"] + counts["erased"]
    others = {item["messageId"] for who, item in everything if who != victim and item["type"] != "dance"}
    stored = set(Interaction.objects.values_list("message_id", flat=True))
    assert {name for name in stored if not name.startswith(f"{victim}-")} == others
    if known is not None:
        assert not [name for name in stored if name.startswith(f"{victim}-")]
        assert counts["erased"] == sum(who == victim for batch in waiting for who, _item in batch)


def test_a_rejected_message_of_somebody_else_loses_the_address_and_stays() -> None:
    origin = source()
    send(origin, anna_says("m1"))
    invited = {"friend": ADDRESS.upper(), "text": f"write to <{ADDRESS}>!", "other": f"x{ADDRESS}", "n": [42]}
    send(origin, {"type": "dance", "messageId": "m2", "userId": "bert", "properties": invited})
    assert erase().counts["profiles_rejectedmessage"] == 1
    row = RejectedMessage.objects.get()
    assert row.payload["userId"] == "bert"
    assert row.payload["properties"] == {
        "friend": "(erased)",
        "text": "write to <(erased)>!",
        "other": f"x{ADDRESS}",
        "n": [42],
    }
