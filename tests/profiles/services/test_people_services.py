"""Traits by hand, people in bulk, restriction and erasure."""

from __future__ import annotations

import pytest
from django.db import connection

from cdp.common.errors import CdpError
from profiles.models import Profile, RawMessage, Source, TraitChange
from profiles.processing.drain import drain_inbox
from profiles.services.personal_data import collect, erase
from profiles.services.profiles import PersonRow, restrict_person, upsert_people, upsert_person
from profiles.services.traits import set_traits
from tests.profiles.processing.inbox import again, identify, person, put, send, source, track

pytestmark = pytest.mark.django_db


def by_hand() -> Source:
    return Source.objects.get(slug="manual")


def test_traits_by_hand_stand_until_a_trusted_source_says_something_newer_and_leave_a_trace() -> None:
    origin = source()
    send(origin, identify("m1", userId="u1", traits={"plan": "a"}))
    anna = person("user_id", "u1")
    changes = set_traits(profile_id=anna.pk, values={"plan": "b", "vip": True}, removed=["absent"], source=by_hand())
    assert changes == {"plan": ("a", "b"), "vip": (None, True)}
    send(source("browser"), {"type": "identify", "messageId": "m2", "userId": "u1", "traits": {"plan": "c"}})
    assert person("user_id", "u1").traits == {"plan": "b", "vip": True}
    assert set(TraitChange.objects.values_list("cause", flat=True)) == {"manual"}
    send(origin, {"type": "identify", "messageId": "m3", "userId": "u1", "traits": {"plan": "d"}})
    assert person("user_id", "u1").traits == {"plan": "d", "vip": True}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"__proto__": 1}, "trait.name_invalid"),
        ({"a": "\x00"}, "trait.value_invalid"),
        ({"n": 2**70}, "trait.value_invalid"),
        ({"email": "nobody"}, "trait.email_invalid"),
    ],
)
def test_traits_that_cannot_be_are_refused(values: dict[str, object], code: str) -> None:
    send(source(), track("m1", userId="u1"))
    with pytest.raises(CdpError) as refusal:
        set_traits(profile_id=person("user_id", "u1").pk, values=values, source=by_hand())
    assert refusal.value.code == code


def test_people_in_bulk_are_created_updated_left_or_rejected() -> None:
    rows = [
        PersonRow(identifiers=[("email", "Anna@shop.nl")], traits={"city": "Gent"}),
        PersonRow(identifiers=[("email", "null")], traits={}),
        PersonRow(identifiers=[("email", "noreply@shop.nl")], traits={}),
        PersonRow(identifiers=[("shoe", "38")], traits={}),
    ]
    outcomes = upsert_people(rows=rows, source=by_hand(), cause="api")
    assert [item.outcome for item in outcomes] == ["created", "rejected", "rejected", "rejected"]
    assert [item.code for item in outcomes[1:]] == ["identifier.invalid", "identifier.junk", "identifier.kind_unknown"]
    again_same = upsert_person(row=rows[0], source=by_hand())
    assert (again_same.outcome, again_same.profile_id) == ("unchanged", outcomes[0].profile_id)
    moved = upsert_person(
        row=PersonRow(identifiers=[("email", "anna@shop.nl")], traits={"city": "Luik"}), source=by_hand()
    )
    assert (moved.outcome, moved.changes) == ("updated", {"city": ("Gent", "Luik")})


def test_restriction_is_noted_and_lifted() -> None:
    send(source(), track("m1", userId="u1"))
    anna = person("user_id", "u1")
    assert restrict_person(profile_id=anna.pk, restricted=True).restricted_at
    assert restrict_person(profile_id=anna.pk, restricted=False).restricted_at is None


def everything_as_text() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'profiles\\_%'")
        tables = [name for (name,) in cursor.fetchall()]
        parts = []
        for name in tables:
            cursor.execute(f'SELECT t::text FROM "{name}" t')
            parts += [text for (text,) in cursor.fetchall()]
        cursor.execute("SELECT convert_from(body, 'UTF8') FROM profiles_rawmessage")
        parts += [text for (text,) in cursor.fetchall()]
    return "\n".join(parts)


def test_erasure_leaves_no_trace_in_any_column_and_spares_the_neighbours() -> None:
    origin = source()
    items = [
        identify(
            "m1",
            userId="secret-user",
            anonymousId="secret-device",
            traits={"email": "secret@shop.nl", "first_name": "Secretia"},
        ),
        track("m2", "Bought", userId="secret-user", properties={"note": "Secretia was here"}),
        track("m3", userId="neighbour"),
        {"type": "track", "userId": "secret-user"},
    ]
    raw = put(origin, items)
    drain_inbox(seconds=30)
    waiting = put(origin, [track("m5", userId="secret-user"), track("m6", userId="neighbour")])
    gone = person("user_id", "secret-user")
    assert collect(gone.pk)["traits"]["first_name"] == "Secretia"
    assert "secret" in everything_as_text().lower()
    counts = erase(gone.pk)
    assert counts["profiles_interaction"] == 2
    assert "secret" not in everything_as_text().lower()
    assert erase(gone.pk)["profiles_profile"] == 0
    assert Profile.objects.get(pk=gone.pk).erased_at
    drain_inbox(seconds=30)
    again(raw)
    drain_inbox(seconds=30)
    assert "secret" not in everything_as_text().lower()
    assert person("user_id", "neighbour").pk != gone.pk
    assert RawMessage.objects.filter(id__in=[raw, waiting]).count() == 2
