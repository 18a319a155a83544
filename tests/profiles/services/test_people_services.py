"""Traits by hand, people in bulk, restriction and erasure."""

from __future__ import annotations

import pytest

from cdp.common.errors import CdpError
from profiles.models import Source, TraitChange
from profiles.services.profiles import PersonRow, restrict_person, upsert_people, upsert_person
from profiles.services.traits import set_traits
from tests.profiles.processing.inbox import identify, person, send, source, track

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
