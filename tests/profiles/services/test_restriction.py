"""Restricted data (GDPR art. 18) is stored, not used; the stricter word wins, and an unmerge gives it back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from cdp.common.errors import CdpError
from consent.gate import check
from profiles.models import Merge, Profile
from profiles.models.identity import MergeState
from profiles.services.merges import merge_profiles, undo_merge
from profiles.services.profiles import restrict_person
from tests.consent.factories import purpose
from tests.profiles.processing.inbox import identify, person, send, source
from tests.segments.factories import members, process_touched, segment

pytestmark = pytest.mark.django_db


@pytest.fixture
def two() -> tuple[Profile, Profile]:
    server = source("server")
    send(server, identify("m1", 1, userId="u1", traits={"email": "one@shop.nl", "country": "NL"}))
    send(server, identify("m2", 2, userId="u2", traits={"email": "two@shop.nl", "country": "NL"}))
    return person("user_id", "u1"), person("user_id", "u2")


def merged(one: Profile, other: Profile) -> Profile:
    return Profile.objects.get(pk=merge_profiles(winner_id=one.pk, loser_id=other.pk))


@pytest.mark.parametrize("restricted", [0, 1])
def test_the_stricter_word_wins_in_a_merge_and_the_right_one_has_it_after(
    two: tuple[Profile, Profile], restricted: int
) -> None:
    restrict_person(profile_id=two[restricted].pk, restricted=True)
    assert merged(*two).restricted_at is not None
    undo_merge(merge_id=Merge.objects.get(state=MergeState.DONE).pk)
    flags = [bool(Profile.objects.get(pk=profile.pk).restricted_at) for profile in two]
    assert flags == [restricted == 0, restricted == 1]


def test_a_restricted_person_leaves_segments_sends_and_exports(
    two: tuple[Profile, Profile], client_as: Callable[[str], Client]
) -> None:
    one, two_ = two
    all_of_us = segment("All", {"type": "everyone"})
    invoice = purpose("invoice", basis="contract", is_marketing=False)
    assert members(all_of_us) == {one.pk, two_.pk}
    restrict_person(profile_id=one.pk, restricted=True)
    client = client_as("Administrator")
    exports = [
        "/people/?export=csv&columns=permissions",
        reverse("segments:members", args=[all_of_us.slug]) + "?export=csv",
    ]
    before = [client.get(address) for address in exports]
    for answer in before:  # also of the segment that has not been looked at since
        text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # a streamed answer
        assert "two@shop.nl" in text and "one@shop.nl" not in text
    process_touched()
    assert members(all_of_us) == {two_.pk}
    decided = check(profile_ids=[one.pk, two_.pk], purpose_id=invoice.pk, channel="email")
    assert (decided[one.pk].reason, decided[two_.pk].allowed) == ("restricted", True)
    both = merged(one, two_)
    process_touched()
    assert members(all_of_us) == set()
    assert check(profile_ids=[both.pk], purpose_id=invoice.pk, channel="email")[both.pk].reason == "restricted"
    undo_merge(merge_id=Merge.objects.get(state=MergeState.DONE).pk)
    process_touched()
    assert members(all_of_us) == {two_.pk}
    restrict_person(profile_id=one.pk, restricted=False)
    process_touched()
    assert members(all_of_us) == {one.pk, two_.pk}


def test_what_comes_in_meanwhile_is_stored_and_lifts_nothing(two: tuple[Profile, Profile]) -> None:
    restrict_person(profile_id=two[0].pk, restricted=True)
    send(source("server"), identify("m3", 3, userId="u1", anonymousId="new-device", traits={"city": "Gent"}))
    one = person("anonymous_id", "new-device")
    assert one.pk == two[0].pk and one.restricted_at is not None and one.traits["city"] == "Gent"


def test_a_merged_or_unknown_person_cannot_be_restricted(two: tuple[Profile, Profile]) -> None:
    merged(*two)
    with pytest.raises(CdpError) as refused:
        restrict_person(profile_id=max(two[0].pk, two[1].pk), restricted=True)
    assert refused.value.code == "person.not_found"
