"""What only a public key says of identity: it moves no mail, outranks nobody, and costs nobody else anything."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from profiles.identity.bounds import MAX_WEAK_COMPONENT
from profiles.identity.traits import SENDING_ADDRESS
from profiles.models import HeldLink, Identifier, IdentityLink, Interaction, Merge, Profile, TraitChange
from profiles.models.identity import MergeState
from profiles.processing.drain import drain_inbox
from profiles.services.identifiers import confirm_identifier
from tests.profiles.processing.inbox import identify, person, put, send, source, track

pytestmark = pytest.mark.django_db


def says(kind: str, **fields: Any) -> None:
    send(source(kind), fields)


VICTIM = ("server", identify("v1", 1, userId="victim", traits={"email": "victim@shop.nl", "plan": "pro"}))
LENT = ("browser", track("a1", minute=2, userId="victim", anonymousId="attacker-device"))
OWN = ("server", identify("a2", 3, anonymousId="attacker-device", traits={"email": "attacker@evil.nl", "plan": "free"}))


@pytest.mark.parametrize("order", list(itertools.permutations([VICTIM, LENT, OWN])))
def test_a_device_lent_by_a_public_key_takes_no_mail(order: Any) -> None:
    for kind, message in order:
        send(source(kind), message)
    victim = person("user_id", "victim")
    assert (victim.email, victim.traits["plan"]) == ("victim@shop.nl", "pro")
    attacker = person("email", "attacker@evil.nl")
    assert attacker != victim and attacker == person("anonymous_id", "attacker-device")
    assert attacker.email == "attacker@evil.nl"
    # Under the user id it names hangs only what the browser did.
    assert list(Interaction.objects.filter(profile_id=victim.pk, name="Seen").values_list("message_id", flat=True)) == [
        "a1"
    ]
    held = Merge.objects.get(state=MergeState.QUARANTINED)
    assert {held.winner_id, held.loser_id} == {victim.pk, attacker.pk} and held.cause == "weak"


def test_what_a_server_says_of_a_lent_device_counts_as_a_public_keys_word() -> None:
    send(source("server"), identify("m1", 1, userId="v", traits={"plan": "pro"}))
    send(source("browser"), track("m2", minute=2, userId="v", anonymousId="d"))
    send(source("server"), identify("m3", 3, anonymousId="d", traits={"plan": "free", "shoe": 38, "consent": "yes"}))
    v = person("user_id", "v")
    assert v == person("anonymous_id", "d")
    assert v.traits == {"plan": "pro", "shoe": 38}
    send(source("server"), track("m4", minute=4, userId="v", anonymousId="d"))
    v.refresh_from_db()
    assert v.traits == {"plan": "free", "shoe": 38, "consent": "yes"}


def test_an_address_said_without_a_user_id_waits_and_one_said_with_it_is_used_and_noted() -> None:
    server = source("server")
    send(server, identify("m1", 1, userId="v", anonymousId="d", traits={"email": "old@shop.nl"}))
    send(server, identify("m2", 2, anonymousId="d", traits={"email": "partner@shop.nl"}))
    assert person("user_id", "v").email == "old@shop.nl"
    send(server, identify("m3", 3, userId="v", traits={"email": "new@shop.nl"}))
    v = person("user_id", "v")
    assert v.email == "new@shop.nl"
    change = TraitChange.objects.get(profile=v, key=SENDING_ADDRESS)
    assert (change.old, change.new, change.source_id) == ("old@shop.nl", "new@shop.nl", server.pk)


def test_a_confirmation_changes_the_address_too() -> None:
    server = source("server")
    send(server, identify("m1", 1, userId="v", anonymousId="d", traits={"email": "old@shop.nl"}))
    send(server, identify("m2", 2, anonymousId="d", traits={"email": "partner@shop.nl"}))
    confirm_identifier(kind="email", value="partner@shop.nl")
    v = person("user_id", "v")
    assert v.email == "partner@shop.nl"
    assert TraitChange.objects.filter(profile=v, key=SENDING_ADDRESS, new="partner@shop.nl").exists()


def test_a_public_key_cannot_date_back_what_a_trusted_source_says() -> None:
    send(source("server"), track("m1", minute=1, userId="u1", anonymousId="d"))
    says("browser", type="track", event="x", userId="u2", anonymousId="d", timestamp="1999-01-01T00:00:00Z")
    send(source("server"), track("m2", minute=2, userId="u2", anonymousId="d"))
    assert person("anonymous_id", "d") == person("user_id", "u1")


# Ghosts ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["browser", "server"])
def test_a_random_device_for_every_event_makes_no_people(kind: str) -> None:
    origin = source(kind)
    for start in range(0, 250, 50):
        send(origin, *(track(f"m{n}", minute=n, userId="u1", anonymousId=f"d{n}") for n in range(start, start + 50)))
    u1 = person("user_id", "u1")
    assert Profile.objects.filter(merged_into=None).count() == 1
    assert u1.identifiers.filter(kind="anonymous_id").count() == 50
    assert Identifier.objects.count() == 51
    assert Interaction.objects.filter(profile_id=u1.pk).count() == 250
    assert not Merge.objects.exists()


def test_addresses_beyond_the_limit_make_no_people_either() -> None:
    for n in range(9):
        send(source(), identify(f"m{n}", n, userId="u1", traits={"email": f"a{n}@shop.nl"}))
    assert Profile.objects.filter(merged_into=None).count() == 1
    assert Identifier.objects.filter(kind="email").count() == 5


def test_a_device_beyond_the_limit_that_did_something_is_a_visitor_whichever_came_first() -> None:
    origin = source("browser")
    many = [track(f"m{n}", minute=n, userId="u1", anonymousId=f"d{n}") for n in range(50)]
    alone, together = (
        track("x1", minute=99, anonymousId="late"),
        track("x2", minute=98, userId="u1", anonymousId="late"),
    )
    for order in ((alone, together), (together, alone)):
        send(origin, *many, *order)
        assert person("anonymous_id", "late") != person("user_id", "u1")
        assert Profile.objects.filter(merged_into=None).count() == 2
        _empty()


def test_an_earlier_device_that_comes_late_takes_the_place_of_the_last_one() -> None:
    origin = source("browser")
    many = [track(f"m{n}", minute=n, userId="u1", anonymousId=f"d{n:02}") for n in range(1, 52)]
    first = track("m0", minute=0, userId="u1", anonymousId="d00")
    kept = []
    for order in ([*many, first], [first, *many], [*many[25:], first, *many[:25]]):
        for message in order:
            put(origin, [message])
        drain_inbox(seconds=60)
        kept.append(set(Identifier.objects.filter(kind="anonymous_id").values_list("value", flat=True)))
        assert Profile.objects.filter(merged_into=None).count() == 1
        _empty()
    assert kept[0] == kept[1] == kept[2] == {f"d{n:02}" for n in range(50)}


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "TRUNCATE profiles_profile, profiles_identifier, profiles_identitylink, profiles_heldlink, profiles_merge,"
            " profiles_traitchange, profiles_interaction, profiles_seenmessage CASCADE"
        )


# Alias -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("first", ["alias", "track"])
def test_the_previous_id_of_an_alias_is_a_device_whatever_it_looks_like(first: str) -> None:
    before = track("m1", "Looked", minute=1, anonymousId="visitor-17")
    alias = {"type": "alias", "messageId": "m2", "userId": "u1", "previousId": "visitor-17"}
    for message in (alias, before) if first == "alias" else (before, alias):
        send(source(), message)
    u1 = person("user_id", "u1")
    assert u1 == person("anonymous_id", "visitor-17")
    assert Profile.objects.filter(merged_into=None).count() == 1
    assert Interaction.objects.filter(profile_id=u1.pk, name="Looked").exists()


def test_an_alias_of_two_users_waits_for_review() -> None:
    send(source(), track("m1", userId="old"), track("m2", userId="new"))
    send(source(), {"type": "alias", "messageId": "m3", "userId": "new", "previousId": "old"})
    assert person("user_id", "old") != person("user_id", "new")
    assert Merge.objects.get().cause == "limit"


# Chains ------------------------------------------------------------------------------------------------------------
def alias_chain(length: int) -> None:
    """Send aliases by a public key, each of which shares a device with the one before."""
    origin = source("browser")
    aliases = [
        {"type": "alias", "messageId": f"c{n}-{device}", "userId": f"u{n}", "previousId": f"d{device}"}
        for n in range(length)
        for device in (n - 1, n)
    ]
    for start in range(0, len(aliases), 200):
        send(origin, *aliases[start : start + 200])


def statements_for(*items: dict[str, Any], kind: str = "server") -> int:
    put(source(kind), items)
    with CaptureQueriesContext(connection) as captured:
        drain_inbox(seconds=60)
    return len(captured)


def test_a_chain_of_aliases_by_a_public_key_costs_later_messages_nothing() -> None:
    usual = statements_for(track("s1", userId="free", anonymousId="free-device"))
    again = statements_for(track("s2", minute=1, userId="free", anonymousId="free-device-2"))
    alias_chain(1500)
    touched = statements_for(
        track("s3", minute=1, userId="u700", anonymousId="d-new"),
        identify("s4", 2, userId="u700", traits={"email": "seven@shop.nl"}),
    )
    assert touched <= max(usual, again) + 12
    assert person("user_id", "u700").email == "seven@shop.nl"
    assert person("anonymous_id", "d-new") == person("user_id", "u700")
    with CaptureQueriesContext(connection) as captured:
        send(source("browser"), track("s5", minute=2, userId="u1499", anonymousId="d0"))
    assert len(captured) <= usual + 30


def test_too_long_a_chain_is_held_and_waits_for_review_while_trusted_links_still_count() -> None:
    # Devices only, so that no known person ends the chain: each message names the next device of the same user id.
    origin = source("browser")
    send(origin, *(identify(f"k{n}", n, anonymousId=f"d{n}", traits={"email": f"e{n // 2}@x.nl"}) for n in range(900)))
    send(
        origin,
        *(
            identify(f"l{n}", 2000 + n, anonymousId=f"d{n}", traits={"email": f"e{(n + 1) // 2}@x.nl"})
            for n in range(900)
        ),
    )
    assert HeldLink.objects.exists()
    assert Merge.objects.filter(state=MergeState.QUARANTINED, cause="size").exists()
    links = IdentityLink.objects.filter(denied_at=None)
    assert links.count() > MAX_WEAK_COMPONENT / 2
    send(source("server"), identify("t1", 9000, userId="real", anonymousId="d5", traits={"email": "real@shop.nl"}))
    assert person("anonymous_id", "d5") == person("user_id", "real")
    assert person("user_id", "real").email == "real@shop.nl"
