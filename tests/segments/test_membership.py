"""The engine: full refresh, the touched people, time, broken rules, two engines at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from profiles.models import CatalogueEntry
from segments import membership, services
from segments.models import (
    Membership,
    MembershipChange,
    SegmentVersion,
    TouchedProfile,
)
from segments.reasons import broken_text
from tests.segments.factories import (
    changed,
    event,
    happened,
    ids,
    members,
    person,
    process_touched,
    refresh_new,
    rule,
    segment,
    sweep,
    trait,
)

pytestmark = pytest.mark.django_db


def test_a_refresh_takes_in_those_who_meet_the_rule_and_notes_it() -> None:
    dutch, belgian = person(traits={"country": "NL"}), person(traits={"country": "BE"})
    made = segment("Dutch", trait("country", "is", "NL"))
    assert members(made) == {dutch.pk}
    assert made.member_count == 1
    assert list(MembershipChange.objects.values_list("profile_id", "entered", "cause")) == [(dutch.pk, True, "rule")]
    assert belgian.pk not in members(made)


def test_touched_people_come_and_go_without_a_look_at_the_others() -> None:
    inside, outside = person(traits={"plan": "pro"}), person(traits={"plan": "free"})
    made = segment("Pro", trait("plan", "is", "pro"))
    inside.traits, outside.traits = {"plan": "free"}, {"plan": "pro"}
    inside.save()
    outside.save()
    changed(outside)
    assert process_touched() == 1
    assert members(made) == ids([inside, outside]), "the untouched person stays until the next look"
    changed(inside)
    process_touched()
    assert members(made) == {outside.pk}
    made.refresh_from_db()
    assert made.member_count == 1
    assert not TouchedProfile.objects.exists()


def test_an_event_brings_somebody_in() -> None:
    buyer = person()
    other = person()
    happened(other, "Order Completed", total=80)
    happened(other, "Order Completed", total=90)
    made = segment("Buyers", event("Order Completed", times=2, where=[{"key": "total", "operator": "gt", "value": 50}]))
    happened(buyer, "Order Completed", total=60)
    happened(buyer, "Order Completed", total=50)
    changed(buyer)
    process_touched()
    assert members(made) == {other.pk}
    happened(buyer, "Order Completed", total=51)
    changed(buyer)
    process_touched()
    assert members(made) == ids([buyer, other])


def test_a_window_that_slides_past_moves_people_by_the_sweeper_alone() -> None:
    now = timezone.now()
    recent, old = person(), person()
    happened(recent, "Visit", now - timedelta(days=6))
    happened(old, "Visit", now - timedelta(days=20))
    inside = segment("Recent", event("Visit", window={"kind": "last", "days": 7}))
    never = segment("Quiet", event("Visit", count="never", window={"kind": "last", "days": 7}))
    assert members(inside) == {recent.pk}
    sweep(now + timedelta(hours=1))
    assert members(inside) == {recent.pk}
    sweep(now + timedelta(days=2))
    assert members(inside) == set()
    assert members(never) == ids([recent, old])
    assert MembershipChange.objects.filter(cause="time").count() == 2


def test_last_seen_and_dates_in_traits_slide_too() -> None:
    now = timezone.now()
    day = (now - timedelta(days=3)).date().isoformat()
    somebody = person(traits={"joined": day}, last=now - timedelta(days=3))
    joined = segment("Joined", trait("joined", "in_last", 5))
    seen = segment("Seen", {"type": "seen", "which": "last", "operator": "within", "days": 5})
    gone = segment("Gone", trait("joined", "before_last", 5))
    assert members(joined) == members(seen) == {somebody.pk}
    later = now + timedelta(days=4)
    sweep(later)
    assert members(joined) == members(seen) == set()
    assert members(gone) == {somebody.pk}


def test_a_day_in_the_future_comes_into_a_window() -> None:
    now = timezone.now()
    somebody = person(traits={"renewal": (now + timedelta(days=3)).date().isoformat()})
    made = segment("Renewed", trait("renewal", "in_last", 5))
    assert members(made) == set()
    sweep(now + timedelta(days=4))
    assert members(made) == {somebody.pk}


def test_a_trait_taken_out_of_the_catalogue_breaks_the_segment_which_then_matches_nobody() -> None:
    somebody = person(traits={"plan": "pro"})
    made = segment("Not free", trait("plan", "is_not", "free"))
    below = segment("Below", {"type": "not", "child": {"type": "member", "segment": made.pk}})
    other = person(traits={})
    changed(other)
    process_touched()
    assert members(made) == ids([somebody, other])
    CatalogueEntry.objects.filter(path="plan").delete()
    membership.refresh_segment(made.pk)
    made.refresh_from_db()
    below.refresh_from_db()
    assert (made.status, below.status) == ("broken", "broken")
    assert made.broken_code == "rule_refused" and "plan" in str(made.broken_params)
    assert "plan" in broken_text(made, sees_people=True)
    assert members(made) == members(below) == set()
    assert MembershipChange.objects.filter(segment=made, cause="broken", entered=False).count() == 2
    person(traits={"plan": "free"})
    membership.refresh_segment(made.pk)
    made.refresh_from_db()
    assert (made.status, members(made)) == ("live", ids([somebody, other]))


def test_merged_and_erased_people_leave() -> None:
    winner, loser, erased = person(), person(), person()
    made = segment("Everyone", {"type": "everyone"})
    assert members(made) == ids([winner, loser, erased])
    loser.merged_into = winner
    loser.save()
    erased.erased_at = timezone.now()
    erased.save()
    changed(loser, erased, winner)
    process_touched()
    assert members(made) == {winner.pk}


def test_a_new_segment_waits_for_its_first_refresh() -> None:
    somebody = person(traits={"plan": "pro"})
    person(traits={"plan": "pro"})
    made = segment("Pro", trait("plan", "is", "pro"), refresh=False)
    changed(somebody)
    process_touched()
    assert members(made) == set()
    refresh_new()
    assert len(members(made)) == 2


def test_membership_names_the_version_that_let_somebody_in() -> None:
    first, second = person(traits={"plan": "pro"}), person(traits={"plan": "free"})
    made = segment("Plans", trait("plan", "is", "pro"))
    services.update_rule(segment=made, rule=rule(trait("plan", "one_of", ["pro", "free"])))
    refresh_new()
    versions = dict(Membership.objects.values_list("profile_id", "version__number"))
    assert versions == {first.pk: 1, second.pk: 2}


def test_a_segment_that_builds_on_another_follows_its_rule() -> None:
    pro, free = person(traits={"plan": "pro"}), person(traits={"plan": "free"})
    base = segment("Base", trait("plan", "is", "pro"))
    upper = segment("Upper", {"type": "member", "segment": base.pk})
    assert members(upper) == {pro.pk}
    services.update_rule(segment=base, rule=rule(trait("plan", "is", "free")))
    refresh_new()
    assert members(upper) == members(base) == {free.pk}


def test_a_version_can_neither_be_changed_nor_deleted() -> None:
    made = segment("Everyone", {"type": "everyone"})
    version = SegmentVersion.objects.get(segment=made)
    for sql in ("UPDATE segments_segmentversion SET number = 9", "DELETE FROM segments_segmentversion"):
        with pytest.raises(Exception, match="pgtrigger"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    version.refresh_from_db()
    assert version.number == 1
