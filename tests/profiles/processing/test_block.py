"""What a block of messages does to people, counters and lists."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import Sum
from django.utils import timezone

from profiles import changes, partitions
from profiles.models import (
    Identifier,
    InboxEntry,
    Interaction,
    LeftOutValue,
    Merge,
    Profile,
    RawMessage,
    RejectedMessage,
    Source,
    SourceCounter,
    TraitChange,
)
from profiles.models.identity import MergeState
from profiles.processing import drain, left_out
from profiles.processing.drain import drain_inbox
from profiles.services.profiles import PersonRow, upsert_person
from profiles.tombstones import Tombstones, tombstones
from tests.profiles.importing.helpers import imported
from tests.profiles.processing.inbox import again, identify, person, put, send, source, track, world
from tests.queues.running import hurry

pytestmark = pytest.mark.django_db


def counts() -> dict[str, int]:
    names = ("received", "stored", "duplicate", "conflicting", "rejected")
    return SourceCounter.objects.aggregate(**{name: Sum(name) for name in names})


def test_a_person_appears_with_traits_identifiers_and_timeline() -> None:
    send(
        source(),
        identify(
            "m1", userId="u1", anonymousId="a1", traits={"email": "Anna@Shop.nl", "first_name": "Anna", "plan": "pro"}
        ),
        track("m2", "Order Completed", 1, userId="u1", properties={"revenue": 12.5}),
    )
    anna = person("user_id", "u1")
    assert (anna.display_name, anna.email, anna.identified) == ("Anna", "anna@shop.nl", True)
    assert anna.traits["plan"] == "pro"
    assert {item.kind for item in anna.identifiers.all()} == {"user_id", "email", "anonymous_id"}
    order = Interaction.objects.get(profile_id=anna.pk, name="Order Completed")
    assert order.properties == {"revenue": 12.5}
    assert counts() == {"received": 2, "stored": 2, "duplicate": 0, "conflicting": 0, "rejected": 0}
    assert not InboxEntry.objects.exists()


def test_what_a_visitor_did_before_signing_in_becomes_part_of_the_person() -> None:
    browser = source("browser")
    send(browser, track("m1", anonymousId="a1"))
    visitor = person("anonymous_id", "a1")
    assert not visitor.identified
    send(browser, identify("m2", 5, userId="u1", anonymousId="a1", traits={"first_name": "Anna"}))
    assert person("anonymous_id", "a1") == person("user_id", "u1") == visitor
    assert Interaction.objects.filter(profile_id=visitor.pk).count() == 2


def test_a_message_id_counts_once_within_a_block_across_blocks_and_on_replay() -> None:
    origin = source()
    raw = put(origin, [track("m1", userId="u1"), track("m1", userId="u1"), track("m1", "Other", userId="u1")])
    drain_inbox(seconds=30)
    send(origin, track("m1", userId="u1"), track("m2", userId="u1"))
    again(raw)
    drain_inbox(seconds=30)
    assert sorted(Interaction.objects.values_list("message_id", "name")) == [("m1", "Seen"), ("m2", "Seen")]
    assert counts() == {"received": 8, "stored": 2, "duplicate": 6, "conflicting": 2, "rejected": 0}


def test_the_same_id_from_another_source_is_another_message() -> None:
    send(source("server"), track("m1", userId="u1"))
    send(source("browser"), track("m1", userId="u1"))
    assert Interaction.objects.count() == 2


def test_bad_messages_are_listed_and_the_counters_add_up() -> None:
    send(
        source(),
        track("m1", userId="u1"),
        {"type": "track", "userId": "u1"},
        {"type": "dance"},
        track("m4", userId="null"),
    )
    assert sorted(RejectedMessage.objects.values_list("position", "code")) == [
        (1, "no_event_name"),
        (2, "unknown_type"),
        (3, "junk_identifier"),
    ]
    assert counts() == {"received": 4, "stored": 1, "duplicate": 0, "conflicting": 0, "rejected": 3}


def test_one_poison_message_goes_to_the_list_and_its_neighbours_land(monkeypatch: pytest.MonkeyPatch) -> None:
    def choke(change: changes.Change) -> None:
        if any(item.name == "Poison" for item in change.interactions):
            raise ValueError("cannot digest this")

    monkeypatch.setitem(changes.change_handlers._items, "test.choke", choke)
    origin = source()
    for number in range(5):
        put(
            origin,
            [track(f"m{number}-{i}", "Poison" if (number, i) == (2, 3) else "Seen", userId=f"u{i}") for i in range(6)],
        )
    drain_inbox(seconds=60)
    assert Interaction.objects.count() == 29
    (poison,) = RejectedMessage.objects.all()
    assert (poison.code, poison.position, poison.message_id) == ("not_storable", 3, "m2-3")
    assert "ValueError" in poison.params["error"]
    assert "cannot digest" not in poison.params["error"], "messages of errors quote personal data"
    assert not InboxEntry.objects.exists()
    assert counts()["received"] == 30


def test_a_public_claim_on_a_known_persons_address_changes_nothing_of_that_person() -> None:
    send(source("server"), identify("m1", userId="anna", traits={"email": "anna@shop.nl", "plan": "pro"}))
    send(
        source("browser"),
        identify("m2", 1, userId="thief", traits={"email": "anna@shop.nl", "plan": "free", "consent": "yes"}),
    )
    anna, thief = person("user_id", "anna"), person("user_id", "thief")
    assert anna != thief
    assert (anna.email, anna.traits["plan"]) == ("anna@shop.nl", "pro")
    assert thief.email == ""
    assert "consent" not in thief.traits
    held = Merge.objects.get(state=MergeState.QUARANTINED)
    assert held.cause == "weak"


def test_a_second_user_on_a_shared_device_is_held_for_review() -> None:
    send(
        source("browser"),
        track("m1", userId="u1", anonymousId="a"),
        track("m2", minute=1, userId="u2", anonymousId="a"),
    )
    assert person("user_id", "u1") == person("anonymous_id", "a")
    assert person("user_id", "u2") != person("user_id", "u1")
    assert Merge.objects.get().cause == "weak"


def test_a_public_key_never_overwrites_what_a_trusted_source_said_and_every_change_is_noted() -> None:
    send(source("server", "crm"), identify("m1", userId="u1", traits={"plan": "pro", "city": "Utrecht"}))
    send(
        source("browser", "web"),
        identify("m2", 5, userId="u1", traits={"plan": "free", "city": "Ghent", "shoe": 38}),
    )
    assert person("user_id", "u1").traits == {"plan": "pro", "city": "Utrecht", "shoe": 38}
    send(source("server", "crm"), identify("m3", 9, userId="u1", traits={"plan": None}))
    assert "plan" not in person("user_id", "u1").traits
    changes = set(TraitChange.objects.values_list("key", "old", "new", "cause"))
    assert ("shoe", None, 38, "identify") in changes
    assert ("plan", "pro", None, "collect") in changes


def test_among_trusted_sources_the_newest_stands_whichever_it_is() -> None:
    imported("klantnummer,plan\nu1,file\n")
    assert person("user_id", "u1").traits["plan"] == "file"
    now = timezone.now()
    send(source("server", "crm"), {**identify("m1", userId="u1", traits={"plan": "crm"}), "timestamp": now.isoformat()})
    assert person("user_id", "u1").traits["plan"] == "crm"
    by_hand = Source.objects.get(slug="manual")
    upsert_person(row=PersonRow(identifiers=[("user_id", "u1")], traits={"plan": "api"}), source=by_hand)
    assert person("user_id", "u1").traits["plan"] == "api"
    late = {"timestamp": (now - timedelta(days=1)).isoformat()}
    send(source("server", "crm"), {**identify("m2", userId="u1", traits={"plan": "late"}), **late})
    assert person("user_id", "u1").traits["plan"] == "api"


def test_a_stamp_of_tomorrow_does_not_make_a_value_stick() -> None:
    ahead = {"timestamp": (timezone.now() + timedelta(hours=23)).isoformat()}
    send(source("server"), {**identify("m1", userId="u1", traits={"plan": "sticky"}), **ahead})
    send(source("server"), {"type": "identify", "messageId": "m2", "userId": "u1", "traits": {"plan": "next"}})
    assert person("user_id", "u1").traits["plan"] == "next"


def test_a_late_message_does_not_roll_a_trait_back() -> None:
    origin = source()
    send(origin, identify("m1", 10, userId="u1", traits={"plan": "new"}))
    send(origin, identify("m2", 5, userId="u1", traits={"plan": "old"}))
    assert person("user_id", "u1").traits["plan"] == "new"


def test_what_belongs_to_an_erased_person_is_kept_out(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = ("email", "gone@shop.nl")
    stones = Tombstones(find=lambda pairs: {gone} & set(pairs), count=lambda: 1)
    monkeypatch.setitem(tombstones._items, "test", stones)
    late = {"context": {"traits": {"email": "gone@shop.nl"}}, "type": "dance", "userId": "u9"}
    send(source(), identify("m1", userId="u9", traits={"email": "gone@shop.nl"}), track("m2", userId="u1"), late)
    assert not Identifier.objects.filter(value__in=["gone@shop.nl", "u9"]).exists()
    assert not RejectedMessage.objects.exists(), "the rejected list keeps payloads, so nothing of theirs goes there"
    counter = SourceCounter.objects.get()
    assert (counter.received, counter.stored, counter.erased) == (3, 1, 2)
    assert json.loads(bytes(RawMessage.objects.get().body))["batch"][::2] == [{"erased": True}] * 2


def test_an_event_of_a_month_without_partition_gets_one() -> None:
    old = (datetime.now(UTC) - timedelta(days=900)).replace(day=15)
    send(source(), {"type": "track", "event": "Old", "messageId": "m", "userId": "u", "timestamp": old.isoformat()})
    assert partitions.month_of(old) in partitions.interaction_months()
    assert Interaction.objects.get().occurred_at == old


def story() -> list[tuple[str, dict[str, Any]]]:
    """Return messages about five people on shared and own devices, some of them contradictory."""
    chance = random.Random(7)
    items = []
    for number in range(40):
        user, device = chance.randrange(5), chance.randrange(8)
        kind = chance.choice(["server", "browser"])
        ids: dict[str, Any] = {}
        if chance.random() < 0.6:
            ids["userId"] = f"u{user}"
        if "userId" not in ids or chance.random() < 0.6:
            ids["anonymousId"] = f"a{device}"
        minute = chance.randrange(30)
        if chance.random() < 0.5:
            traits: dict[str, Any] = {"plan": chance.choice("abc"), "n": number}
            if chance.random() < 0.5:
                traits["email"] = f"p{chance.randrange(5)}@shop.nl"
            items.append((kind, identify(f"m{number}", minute, traits=traits, **ids)))
        else:
            items.append((kind, track(f"m{number}", minute=minute, **ids)))
    return items


def tell(items: list[tuple[str, dict[str, Any]]], block: int) -> None:
    for start in range(0, len(items), block):
        for kind in ("server", "browser"):
            part = [item for of, item in items[start : start + block] if of == kind]
            if part:
                put(source(kind), part)
        drain_inbox(seconds=60)


def empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE profiles_profile, profiles_identifier, profiles_identitylink, profiles_merge, "
            " profiles_traitchange,"
            " profiles_interaction, profiles_rawmessage, profiles_inbox, profiles_seenmessage,"
            " profiles_rejectedmessage CASCADE"
        )


@pytest.mark.django_db(transaction=True)
def test_any_order_and_any_block_size_gives_the_same_people() -> None:
    items = story()
    source("server"), source("browser")
    tell(items, 40)
    expected = world()
    assert len(expected) > 3
    for seed, block in ((1, 1), (2, 3), (3, 7), (4, 40)):
        empty()
        shuffled = list(items)
        random.Random(seed).shuffle(shuffled)
        tell(shuffled, block)
        assert world() == expected


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_store_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "MAX_BLOCK_ROWS", 7)
    hurry(monkeypatch, "inbox", slots=4)
    items = story()
    source("server"), source("browser")
    tell(items, 40)
    expected = world()
    empty()
    for copy in range(3):
        for number, (kind, item) in enumerate(items):
            put(
                source(kind),
                [
                    item,
                    items[(number + copy) % len(items)][1] if items[(number + copy) % len(items)][0] == kind else item,
                ],
            )

    def work(_number: int) -> None:
        try:
            drain_inbox(seconds=60)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    drain_inbox(seconds=30)
    assert not InboxEntry.objects.exists()
    assert world() == expected
    assert Interaction.objects.count() == len(items)
    assert Profile.objects.filter(merged_into=None).count() == len(expected)


def test_values_left_out_are_counted_by_field_and_shown_on_the_page_of_the_source(client_as: Any) -> None:
    origin = source()
    traits = {"card": 10**20, "phone": "06-1", "first_name": "Anna"}
    send(origin, *(identify(f"m{number}", number, userId="u1", traits=traits) for number in range(3)))
    send(origin, identify("m0", userId="u1", traits=traits))  # sent again: it counted already
    found = {(row.field, row.code): row.count for row in LeftOutValue.objects.filter(source=origin)}
    assert found == {("traits.card", "number_out_of_range"): 3, ("phone", "no_identifier"): 3}
    assert Profile.objects.get().traits == {"phone": "06-1", "first_name": "Anna"}
    page = client_as("Marketer").get(f"/sources/{origin.slug}/").content.decode()
    assert "Values left out" in page and "traits.card" in page and "A number is too large" in page
    assert "06-1" not in page


def test_a_sender_that_makes_up_fields_fills_no_table() -> None:
    origin = source()
    for start in range(0, 600, 100):
        for_each = {f"n{number}": 10**20 for number in range(start, start + 100)}
        send(origin, *(identify(f"m{name}", userId="u1", traits={name: value}) for name, value in for_each.items()))
    assert LeftOutValue.objects.count() <= left_out.MAX_FIELDS + 100
