"""The gate in SQL and the pure decision say the same."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import connection

from consent.gate import answers_for, check, decisions_sql
from consent.models import Basis, Purpose
from consent.policy.decisions import REASONS
from consent.policy.states import STATES
from consent.policy.terms import NECESSARY_BASES
from consent.services import record_consent, suppress_address
from profiles.models import Profile
from tests.consent.factories import at, identifier, person, purpose, say

pytestmark = pytest.mark.django_db


def random_world(dice: random.Random) -> tuple[list[int], list[Purpose]]:
    """Make people in all circumstances who said all kinds of things."""
    purposes = [
        purpose(
            f"p{number}-{basis}",
            basis=basis,
            channels=["email", "sms"],
            is_marketing=basis == "soft_opt_in" or (basis not in NECESSARY_BASES and dice.random() < 0.7),
            requires_seen_proof=dice.random() < 0.4,
            requires_confirmed=dice.random() < 0.4,
        )
        for number, basis in enumerate(Basis.values)
    ]
    Purpose.objects.filter(pk=dice.choice(purposes).pk).update(active=dice.random() < 0.5)
    people = []
    for _number in range(25):
        anna = person("" if dice.random() < 0.8 else None, trusted=dice.random() < 0.8, confirmed=dice.random() < 0.5)
        if dice.random() < 0.5:
            identifier(anna, "phone", f"+3161{anna.pk:07d}", trusted=dice.random() < 0.7)
        for _turn in range(dice.randrange(6)):
            record_consent(
                profile_id=anna.pk,
                purpose=dice.choice(purposes),
                channel=dice.choice(["email", "sms"]),
                state=dice.choice(STATES),
                method=dice.choice(["form", "event", "one_click"]),
                actor="subject",
                seen=dice.random() < 0.5,
                occurred_at=at(dice.randrange(1, 28)) if dice.random() < 0.5 else None,
            )
        if dice.random() < 0.15 and anna.email:
            suppress_address(kind="email", value=anna.email.upper(), reason="bounce", actor="test")
        fates: list[dict[str, Any]] = [{}] * 3 + [{"restricted_at": at(9)}, {"erased_at": at(9)}, {"merged_into": anna}]
        changes = dice.choice(fates)
        Profile.objects.filter(pk=anna.pk).update(**changes)
        people.append(anna.pk)
    return people, list(Purpose.objects.order_by("pk"))


@pytest.mark.parametrize("seed", range(6))
def test_sql_and_pure_rules_agree(seed: int) -> None:
    """For random people: the same yes or no, reason and address; where allowed, the same record."""
    people, purposes = random_world(random.Random(seed))
    seen = set()
    for of in purposes:
        for channel in of.channels:
            decided = check(profile_ids=people, purpose_id=of.pk, channel=channel)
            for profile_id in people:
                answer = next(item for item in answers_for(profile_id, purposes=[of]) if item.channel == channel)
                found, wanted = decided[profile_id], answer.decision
                assert (found.allowed, found.reason) == (wanted.allowed, wanted.reason)
                if wanted.allowed or wanted.record_id is not None:
                    assert found.record_id == wanted.record_id
                if wanted.allowed:
                    assert found.address == wanted.address
                seen.add(wanted.reason)
    assert seen <= {"", *REASONS}
    assert len(seen) >= 6


def test_unknown_person_and_purpose_are_closed() -> None:
    """What is not known is not allowed."""
    newsletter = purpose()
    assert check(profile_ids=[987654321], purpose_id=newsletter.pk, channel="email")[987654321].reason == "erased"
    anna = person()
    assert check(profile_ids=[anna.pk], purpose_id=987654321, channel="email")[anna.pk].reason == "purpose_inactive"
    assert (
        check(profile_ids=[anna.pk], purpose_id=newsletter.pk, channel="pigeon")[anna.pk].reason == "purpose_inactive"
    )


def test_allowed_decision_names_the_record() -> None:
    """The delivery can point at what allowed it."""
    anna, newsletter = person(), purpose()
    record = say(anna, newsletter, "given")
    decision = check(profile_ids=[anna.pk], purpose_id=newsletter.pk, channel="email")[anna.pk]
    assert (decision.allowed, decision.record_id, decision.address) == (True, record.pk, anna.email)


def test_objection_to_one_purpose_closes_all_marketing() -> None:
    """GDPR art. 21(3): also a purpose made later, and one that rests on legitimate interest; not the invoice."""
    anna, newsletter = person(), purpose()
    say(anna, newsletter, "objected")
    later = purpose("offers", basis="legitimate_interest")
    invoice = purpose("invoice", basis="contract", is_marketing=False)
    assert check(profile_ids=[anna.pk], purpose_id=later.pk, channel="email")[anna.pk].reason == "objected"
    assert check(profile_ids=[anna.pk], purpose_id=invoice.pk, channel="email")[anna.pk].allowed
    say(anna, later, "given")
    assert check(profile_ids=[anna.pk], purpose_id=later.pk, channel="email")[anna.pk].allowed
    assert not check(profile_ids=[anna.pk], purpose_id=newsletter.pk, channel="email")[anna.pk].allowed


def test_audience_keeps_its_own_parameters() -> None:
    """The subquery of a segment brings placeholders along."""
    anna, newsletter = person(), purpose()
    say(anna, newsletter, "given")
    sql, params = decisions_sql(
        purpose_id=newsletter.pk,
        channel="email",
        audience_sql="SELECT id AS profile_id FROM profiles_profile WHERE email LIKE %s AND id <> %s",
        params=["person%", -1],
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert (anna.pk, anna.email, "") in [row[:3] for row in cursor.fetchall()]
