"""Lists kept by hand: who is in one stays through merges, leaves with an erasure, and rules may refer to it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import schedule_campaign
from cdp.common import queues
from cdp.common.errors import CdpError
from consent.services.erasing import erase_person
from profiles.models import Merge, Profile
from profiles.services.merges import merge_profiles, undo_merge
from segments import services
from segments.models import ListEntry, ListJob, Membership, MembershipChange, Segment
from tests.campaigns.factories import campaign, readers
from tests.campaigns.runs import outcomes
from tests.consent.factories import person as known_person
from tests.consent.factories import purpose
from tests.segments.factories import (
    changed,
    ids,
    members,
    person,
    process_touched,
    refresh_new,
    segment,
    trait,
)

pytestmark = pytest.mark.django_db


def made(name: str = "Guests") -> Segment:
    """Make a list."""
    return services.create_list(name=name)


def add(one: Segment, *people: Profile, **how: Any) -> Any:
    """Put people in."""
    return services.add_people(segment=one, profile_ids=[row.pk for row in people], **{"cause": "hand", **how})


def changes(one: Segment) -> list[tuple[int, bool, str, str]]:
    """Return who came and went, why and by whom."""
    rows = MembershipChange.objects.filter(segment_id=one.pk).order_by("id")
    return list(rows.values_list("profile_id", "entered", "cause", "actor"))


def known(email: str) -> Profile:
    """Add a person with an identifier, who can be merged."""
    return known_person(email)


def count(one: Segment) -> int:
    """Return the size that pages show."""
    one.refresh_from_db()
    return one.member_count


def test_people_are_put_in_once_and_taken_out_and_each_step_says_who_did_it() -> None:
    guests, anna, ben = made(), person(), person()
    first = add(guests, anna, ben, actor="user:marie")
    again = add(guests, anna, actor="user:piet")
    assert (first.added, again.added, again.already) == (ids([anna, ben]), set(), {anna.pk})
    assert members(guests) == ids([anna, ben]) and count(guests) == 2
    gone = services.remove_people(segment=guests, profile_ids=[anna.pk, person().pk], cause="hand", actor="user:piet")
    assert gone == {anna.pk}
    assert members(guests) == {ben.pk} and count(guests) == 1
    assert changes(guests) == [
        (anna.pk, True, "hand", "user:marie"),
        (ben.pk, True, "hand", "user:marie"),
        (anna.pk, False, "hand", "user:piet"),
    ]
    assert services.clear_list(segment=guests, actor="user:piet") == 1
    assert members(guests) == set() and count(guests) == 0
    assert not ListEntry.objects.exists()


def test_who_is_erased_merged_or_restricted_is_not_put_in() -> None:
    guests, gone, shy = made(), person(), person()
    Profile.objects.filter(pk=gone.pk).update(erased_at=timezone.now())
    Profile.objects.filter(pk=shy.pk).update(restricted_at=timezone.now())
    told = add(guests, gone, shy)
    assert (told.added, told.unknown, told.restricted) == (set(), {gone.pk}, {shy.pk})
    assert count(guests) == 0


def test_the_engine_leaves_a_list_alone() -> None:
    guests, anna = made(), person()
    add(guests, anna)
    changed(anna)
    process_touched()
    refresh_new()
    queues.drain("segments_sweep")
    guests.refresh_from_db()
    assert members(guests) == {anna.pk} and guests.status == "live" and guests.refreshed_at is not None


def test_who_becomes_restricted_stays_listed() -> None:
    guests, anna = made(), person()
    add(guests, anna)
    Profile.objects.filter(pk=anna.pk).update(restricted_at=timezone.now())
    changed(anna)
    process_touched()
    assert members(guests) == {anna.pk}


def test_a_merge_gives_the_membership_to_the_winner_and_its_undo_gives_it_back() -> None:
    guests, both = made(), made("Both")
    anna, ann = known("anna@example.org"), known("ann@example.org")
    add(guests, ann)
    add(both, anna, ann)
    winner = merge_profiles(winner_id=anna.pk, loser_id=ann.pk)
    assert winner == anna.pk
    assert members(guests) == {anna.pk} and members(both) == {anna.pk}
    assert (count(guests), count(both)) == (1, 1)
    undo_merge(merge_id=Merge.objects.get().pk)
    assert members(guests) == {ann.pk} and members(both) == ids([anna, ann])
    assert (count(guests), count(both)) == (1, 2)
    assert {row[:3] for row in changes(guests)} == {
        (ann.pk, True, "hand"),
        (anna.pk, True, "merge"),
        (ann.pk, False, "merge"),
        (ann.pk, True, "undo"),
        (anna.pk, False, "undo"),
    }


def test_who_is_taken_out_after_a_merge_does_not_come_back_by_its_undo() -> None:
    guests = made()
    anna, ann = known("anna@example.org"), known("ann@example.org")
    add(guests, ann)
    merge_profiles(winner_id=anna.pk, loser_id=ann.pk)
    assert services.remove_people(segment=guests, profile_ids=[anna.pk], cause="hand") == {anna.pk}
    undo_merge(merge_id=Merge.objects.get().pk)
    assert members(guests) == set() and count(guests) == 0


def test_an_erasure_takes_the_person_out_everywhere() -> None:
    guests = made()
    anna, ann = known("anna@example.org"), known("ann@example.org")
    add(guests, ann, actor="user:marie")
    merge_profiles(winner_id=anna.pk, loser_id=ann.pk)
    receipt = erase_person(profile_id=anna.pk, actor=None, reason="asked")
    assert members(guests) == set() and count(guests) == 0
    assert not ListEntry.objects.exists()
    assert not MembershipChange.objects.filter(profile_id__in=[anna.pk, ann.pk]).exists()
    assert receipt.counts["segments_listentry"] == 1


def test_a_rule_may_build_on_a_list_and_follows_it() -> None:
    guests, pro, free = made(), person(traits={"plan": "pro"}), person(traits={"plan": "free"})
    loyal = segment(
        "Pro guests",
        {"type": "all", "children": [trait("plan", "is", "pro"), {"type": "member", "segment": guests.pk}]},
    )
    outside = segment("No guests", {"type": "not", "child": {"type": "member", "segment": guests.pk}})
    assert members(loyal) == set() and members(outside) == ids([pro, free])
    add(guests, pro, free)
    process_touched()
    assert members(loyal) == {pro.pk} and members(outside) == set()
    services.clear_list(segment=guests)
    process_touched()
    refresh_new()
    assert members(loyal) == set() and members(outside) == ids([pro, free])
    assert set(services.used_by(guests)) == {loyal, outside}
    with pytest.raises(CdpError) as refused:
        services.archive_segment(segment=guests)
    assert refused.value.code == "segment.in_use"


def test_a_list_has_no_rule_and_a_segment_with_a_rule_takes_nobody_by_hand() -> None:
    guests, everybody = made(), segment("All", {"type": "everyone"})
    with pytest.raises(CdpError) as no_rule:
        services.update_rule(segment=guests, rule={"include": {"type": "everyone"}})
    with pytest.raises(CdpError) as by_rule:
        add(everybody, person())
    assert (no_rule.value.code, by_rule.value.code) == ("segment.is_list", "segment.by_rule")


def test_an_archived_list_is_empty_and_takes_nobody() -> None:
    guests = made()
    add(guests, person())
    services.archive_segment(segment=guests)
    assert not Membership.objects.exists() and not ListEntry.objects.exists()
    guests.refresh_from_db()
    with pytest.raises(CdpError) as refused:
        add(guests, person())
    assert refused.value.code == "segment.archived"


def test_a_copy_of_a_list_has_its_members() -> None:
    guests, anna = made(), person()
    add(guests, anna)
    copy = services.duplicate_segment(segment=guests)
    queues.drain("segments_lists")
    assert copy.kind == "static" and members(copy) == {anna.pk}


def test_replacing_writes_only_the_difference() -> None:
    guests, anna, ben, cas = made(), person(), person(), person()
    add(guests, anna, ben)
    MembershipChange.objects.all().delete()
    told = services.replace_people(segment=guests, profile_ids=[ben.pk, cas.pk], cause="api", actor="token:1")
    assert (told.added, told.already, told.removed) == ({cas.pk}, {ben.pk}, {anna.pk})
    assert members(guests) == ids([ben, cas]) and count(guests) == 2
    assert {row[:3] for row in changes(guests)} == {(anna.pk, False, "api"), (cas.pk, True, "api")}


def test_everybody_found_is_put_in_by_the_queue_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segments.list_jobs.BLOCK", 3)
    guests = made()
    there = [person(name=f"Anna {number}") for number in range(8)]
    person(name="Ben")
    add(guests, there[0])
    job = services.add_found(segment=guests, filters={"q": "anna"}, user=None)
    later = person(name="Anna later")
    queues.drain("segments_lists")
    job.refresh_from_db()
    assert (job.state, job.done, job.added, job.already) == ("done", 8, 7, 1)
    assert job.params == {}, "what was searched for is kept no longer than needed"
    assert members(guests) == ids(there) and later.pk not in members(guests)


def test_a_job_whose_list_is_archived_meanwhile_stops() -> None:
    guests = made()
    person()
    job = services.add_found(segment=guests, filters={}, user=None)
    services.archive_segment(segment=guests)
    queues.drain("segments_lists")
    job.refresh_from_db()
    assert job.state == ListJob.State.STOPPED and not Membership.objects.exists()


def test_a_campaign_goes_to_a_list_and_leaves_one_out() -> None:
    news = purpose()
    anna, ben, shy = readers(3, news)
    guests, staff = made(), made("Staff")
    add(guests, anna, ben, shy)
    add(staff, ben)
    Profile.objects.filter(pk=shy.pk).update(restricted_at=timezone.now())
    mailing = campaign(of=news)
    mailing.segment, mailing.exclude_segment_ids = guests, [staff.pk]
    mailing.save()
    schedule_campaign(campaign_id=mailing.pk, actor=None)
    start_due_campaigns()
    assert outcomes(mailing) == {
        "reader-0": ("pending", ""),
        "reader-1": ("skipped", "excluded"),
        "reader-2": ("skipped", "restricted"),
    }
