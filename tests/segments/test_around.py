"""What segments bring to other pages, what they hear of other apps, and the tasks that drive them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone

from cdp.common import registry
from segments import membership, panels
from segments.membership_diff import Moved
from segments.models import Membership, MembershipChange, Segment, SegmentSize, TouchedProfile
from segments.touched import TOUCHED
from tests.consent.factories import person as reachable
from tests.consent.factories import purpose, say
from tests.queues.running import run_scheduled
from tests.segments.factories import changed, event, happened, members, person, process_touched, segment, trait

pytestmark = pytest.mark.django_db
Clients = Callable[[str], Client]


def test_the_persons_page_shows_segments_and_the_timeline_tells_of_moves(client_as: Clients) -> None:
    anna = person(traits={"plan": "pro"}, name="Anna de Vries")
    segment("Pros", trait("plan", "is", "pro"))
    html = client_as("Marketer").get(f"/people/{anna.uuid}/").content.decode()
    assert f"/segments/pros/why/{anna.uuid}/" in html
    timeline = registry.timeline.get("segments")
    assert [entry.title for entry in timeline(anna.pk, None, 10, None)] == ["Entered segment Pros"]
    anna.traits = {"plan": "free"}
    anna.save()
    changed(anna)
    process_touched()
    assert [entry.title for entry in timeline(anna.pk, None, 10, None)][0] == "Left segment Pros"
    assert timeline(anna.pk, timezone.now() - timedelta(days=1), 10, None) == []
    assert timeline(anna.pk, None, 10, {"message"}) == []


def test_home_shows_what_moved_most_and_what_is_broken() -> None:
    request = RequestFactory().get("/")
    assert panels.moved_card(request) is None
    for number in range(3):
        person(traits={"plan": "pro" if number else "free"})
    segment("Pros", trait("plan", "is", "pro"))
    segment("Free", trait("plan", "is", "free"))
    card = panels.moved_card(request)
    assert card is not None
    assert [(row["segment"].name, row["entered"], row["left"]) for row in card["moved_segments"]] == [
        ("Pros", 2, 0),
        ("Free", 1, 0),
    ]
    MembershipChange.objects.update(at=timezone.now() - timedelta(hours=25))
    Segment.objects.filter(name="Free").update(status="broken")
    card = panels.moved_card(request)
    assert card is not None
    assert card["moved_segments"] == []
    assert [row.name for row in card["broken_segments"]] == ["Free"]
    assert panels.broken_check()[0] is False


def test_home_draws_the_card(client_as: Clients) -> None:
    person(traits={"plan": "pro"})
    segment("Pros", trait("plan", "is", "pro"))
    assert "Segments that moved" in client_as("Marketer").get("/").content.decode()
    assert "Segments that moved" not in client_as("Privacy officer").get("/").content.decode()


def test_the_search_box_finds_segments_for_those_who_may(user_as: Callable[[str], User]) -> None:
    search = registry.search_providers.get("segments")
    segment("Everyone here", {"type": "everyone"})
    assert [row["label"] for row in search(user_as("Marketer"), "every", 5)] == ["Everyone here"]
    assert search(user_as("Privacy officer"), "every", 5) == []


def test_the_queue_tells_its_depth_and_age() -> None:
    assert TOUCHED.measure() == (0, None)
    changed(person())
    TouchedProfile.objects.update(since=timezone.now() - timedelta(minutes=2))
    depth, age = TOUCHED.measure()
    assert depth == 1
    assert age is not None and 119 < age < 180


def test_an_access_request_gets_segments_and_erasure_leaves_none() -> None:
    holder = registry.personal_data.get("segments")
    anna, luc = person(traits={"plan": "pro"}), person(traits={"plan": "pro"})
    made = segment("Pros", trait("plan", "is", "pro"))
    changed(anna)
    told = holder.collect(anna.pk)
    assert [row["segment"] for row in told["segments"]] == ["Pros"]
    assert [(row["segment"], row["entered"]) for row in told["segment_history"]] == [("Pros", True)]
    gone = holder.erase(anna.pk)
    assert gone == {
        "segments_membership": 1,
        "segments_listentry": 0,
        "segments_membershipchange": 1,
        "segments_touched": 1,
        "common_deadletter": 0,
    }
    assert holder.collect(anna.pk) == {"segments": [], "segment_history": []}
    made.refresh_from_db()
    assert (members(made), made.member_count) == ({luc.pk}, 1)
    assert set(holder.erase(anna.pk).values()) == {0}, "and again it finds nothing"


def test_a_permission_given_or_withdrawn_moves_somebody_without_any_other_news() -> None:
    news, anna = purpose("news"), reachable()
    made = segment("Agreed", {"type": "consent", "purpose": "news", "channel": "email", "state": "given"})
    assert members(made) == set()
    say(anna, news, "given")
    process_touched()
    assert members(made) == {anna.pk}
    say(anna, news, "withdrawn")
    process_touched()
    assert members(made) == set()


def test_the_tasks_do_their_part() -> None:
    now = timezone.now()
    early, late = person(), person()
    happened(early, "Visit", now - timedelta(days=6))
    made = segment("Recent", event("Visit", window={"kind": "last", "days": 7}), refresh=False)
    run_scheduled("segments.refresh")
    assert members(made) == {early.pk}
    happened(late, "Visit", now)
    changed(late)
    run_scheduled("segments.process_touched")
    assert members(made) == {early.pk, late.pk}
    week = timedelta(days=5)
    with connection.cursor() as cursor:
        back = "UPDATE profiles_interaction SET occurred_at = occurred_at - make_interval(days => %s)"
        cursor.execute(back, [week.days])
    Segment.objects.update(swept_at=now - week)
    run_scheduled("segments.sweep")
    assert members(made) == {late.pk}
    assert SegmentSize.objects.get(segment=made).members == 1
    Membership.objects.all().delete()
    Segment.objects.update(recounted_at=now - timedelta(days=2))
    run_scheduled("segments.refresh")
    assert members(made) == {late.pk}, "once a day each is counted anew"


def test_a_copied_block_serves_many_segments_and_leaves_nobody_behind() -> None:
    pro, buyer, reader = person(traits={"plan": "pro"}), person(), person()
    happened(buyer, "Order", total=80)
    happened(buyer, "Order", total=20)
    base = segment("Pros", trait("plan", "is", "pro"))
    rows = [
        base,
        segment("Above", {"type": "member", "segment": base.pk}),
        segment("Buyers", event("Order", where=[{"key": "total", "operator": "gt", "value": 50}])),
        segment("Twice", event("Order", times=2, window={"kind": "last", "days": 30})),
        segment("Quiet", event("Order", count="never")),
        segment("Everyone", {"type": "everyone"}),
    ]
    expected = [{pro.pk}, {pro.pk}, {buyer.pk}, {buyer.pk}, {pro.pk, reader.pk}, {pro.pk, buyer.pk, reader.pk}]
    assert [members(row) for row in rows] == expected
    Membership.objects.all().delete()
    changed(pro, buyer, reader)
    assert process_touched() == 3
    assert [members(row) for row in rows] == expected


def test_a_refresh_over_stale_statistics_still_writes_only_the_difference() -> None:
    people = [person(traits={"plan": "pro"}) for _ in range(20)]
    made = segment("Pros", trait("plan", "is", "pro"))
    before = MembershipChange.objects.count()
    assert membership.refresh_segment(made.pk) == Moved(0, 0)
    Membership.objects.filter(profile_id=people[0].pk).delete()
    people[1].traits = {}
    people[1].save()
    assert membership.refresh_segment(made.pk) == Moved(1, 1)
    assert MembershipChange.objects.count() == before + 2
