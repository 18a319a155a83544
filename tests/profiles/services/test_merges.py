"""Joins by hand hold, and undoing one gives both people back."""

from __future__ import annotations

import pytest

from cdp.common.errors import CdpError
from profiles.models import Interaction, Merge, Profile
from profiles.models.identity import MergeState
from profiles.services.merges import dismiss_merge, merge_profiles, undo_merge
from tests.profiles.processing.inbox import identify, person, send, source, track, world

pytestmark = pytest.mark.django_db


def two_people() -> tuple[Profile, Profile]:
    send(
        source(),
        identify("m1", userId="u1", anonymousId="a1", traits={"email": "anna@shop.nl", "plan": "a"}),
        track("m2", "Bought", 1, userId="u1"),
        identify("m3", 2, userId="u2", traits={"email": "anne@shop.nl", "plan": "b", "city": "Gent"}),
        track("m4", "Looked", 3, userId="u2"),
    )
    return person("user_id", "u1"), person("user_id", "u2")


def test_a_join_by_hand_moves_everything_and_its_undo_brings_both_back_exactly() -> None:
    one, other = two_people()
    before = world()
    target = merge_profiles(winner_id=one.pk, loser_id=other.pk)
    assert target == min(one.pk, other.pk)
    assert Interaction.objects.filter(profile_id=target).count() == 4
    joined = Profile.objects.get(pk=target)
    assert joined.traits["city"] == "Gent"
    assert Profile.objects.get(pk=max(one.pk, other.pk)).merged_into_id == target
    merge = Merge.objects.get(state=MergeState.DONE)
    undo_merge(merge_id=merge.pk)
    assert world() == before
    assert person("user_id", "u1") == one
    assert person("user_id", "u2") == other
    merge.refresh_from_db()
    assert merge.state == MergeState.UNDONE


def test_after_an_undo_the_same_evidence_does_not_join_again_and_a_hand_can() -> None:
    browser = source("browser")
    send(browser, track("m1", anonymousId="a1"), track("m2", minute=1, userId="u1"))
    before = world()
    send(browser, track("m3", minute=2, userId="u1", anonymousId="a1"))
    assert person("user_id", "u1") == person("anonymous_id", "a1")
    undo_merge(merge_id=Merge.objects.get().pk)
    send(browser, track("m4", minute=3, userId="u1", anonymousId="a1"))
    one, other = person("user_id", "u1"), person("anonymous_id", "a1")
    assert one != other
    assert len(world()) == len(before)
    merge_profiles(winner_id=one.pk, loser_id=other.pk)
    assert person("user_id", "u1") == person("anonymous_id", "a1")


def test_undoing_the_first_of_two_joins_leaves_the_second() -> None:
    origin = source()
    send(origin, track("m1", anonymousId="a1"), track("m2", anonymousId="a2"), track("m3", userId="u1"))
    send(origin, track("m4", minute=1, userId="u1", anonymousId="a1"))
    first = Merge.objects.get()
    send(origin, track("m5", minute=2, userId="u1", anonymousId="a2"))
    assert person("anonymous_id", "a2") == person("anonymous_id", "a1")
    undo_merge(merge_id=first.pk)
    assert person("user_id", "u1") == person("anonymous_id", "a2")
    assert person("anonymous_id", "a1") != person("user_id", "u1")


def test_a_join_under_review_can_be_dismissed_or_done() -> None:
    browser = source("browser")
    send(browser, track("m1", userId="u1", anonymousId="a"), track("m2", minute=1, userId="u2", anonymousId="a"))
    held = Merge.objects.get(state=MergeState.QUARANTINED)
    dismiss_merge(merge_id=held.pk)
    held.refresh_from_db()
    assert held.state == MergeState.DISMISSED
    merge_profiles(winner_id=held.winner_id, loser_id=held.loser_id)
    assert person("user_id", "u1") == person("user_id", "u2")


def test_refusals_have_stable_codes() -> None:
    one, other = two_people()
    with pytest.raises(CdpError) as same:
        merge_profiles(winner_id=one.pk, loser_id=one.pk)
    assert same.value.code == "merge.same"
    merge_profiles(winner_id=one.pk, loser_id=other.pk)
    with pytest.raises(CdpError) as gone:
        merge_profiles(winner_id=one.pk, loser_id=other.pk)
    assert gone.value.code == "person.not_found"
    with pytest.raises(CdpError) as unknown:
        undo_merge(merge_id=10**9)
    assert unknown.value.code == "merge.not_found"
