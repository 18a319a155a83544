"""What is past its time goes, and nothing else: bodies, events, strangers, counters, rejected messages."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from cdp.common.retention import DataClass, Position, retention
from consent.models import ConsentRecord
from profiles import aging, partitions
from profiles.models import (
    Identifier,
    IdentityLink,
    InboxEntry,
    Interaction,
    Profile,
    RawMessage,
    RejectedMessage,
    SourceCounter,
    TraitChange,
)
from profiles.processing import drain
from profiles.processing.drain import drain_inbox
from profiles.querysets.sources import counts_of
from segments.tasks import process_touched
from tests.campaigns.factories import campaign
from tests.campaigns.runs import run as run_campaign
from tests.consent.factories import person, purpose, say
from tests.profiles.processing.inbox import put, send, source, track
from tests.segments.factories import event, happened, members, segment

NOW = timezone.now()
LONG_AGO = NOW - timedelta(days=500)


def remove(name: str, *, before: datetime = NOW - timedelta(days=395), limit: int = 2) -> int:
    """Remove a class in small batches, as the engine does; return how many rows went."""
    data: DataClass = retention.get(name)
    position: Position = {}
    removed = 0
    while True:
        step = data.remove(before, limit, position)
        removed += step.removed
        if step.position is None:
            return removed
        position = step.position


def stranger(seen: datetime = LONG_AGO) -> Profile:
    """Make a visitor with a device, an event and a trait that changed."""
    visitor = person(None)
    Profile.objects.filter(pk=visitor.pk).update(last_seen_at=seen)
    happened(visitor, "Page Viewed", LONG_AGO + timedelta(days=100))
    TraitChange.objects.create(profile=visitor, key="language", new="nl", at=LONG_AGO, cause="identify")
    return visitor


@pytest.mark.django_db
def test_visitors_who_never_came_back_go_with_all_that_is_theirs() -> None:
    gone, other, back, known = stranger(), stranger(), stranger(seen=NOW), person("anna@example.org")
    Profile.objects.filter(pk=known.pk).update(last_seen_at=LONG_AGO)
    merged = Profile.objects.create(first_seen_at=LONG_AGO, last_seen_at=LONG_AGO, merged_into=gone)
    one, two = Identifier.objects.filter(profile=gone).get(), Identifier.objects.filter(profile=other).get()
    IdentityLink.objects.create(low=one, high=two, first_at=LONG_AGO, tie="t", denied_at=NOW)
    everyone = segment("Everyone who viewed", event("Page Viewed"))
    assert members(everyone) == {gone.pk, other.pk, back.pk}
    assert aging.survey_strangers(NOW - timedelta(days=395)).waiting == 2
    assert remove("strangers") == 2
    assert set(Profile.objects.values_list("pk", flat=True)) == {back.pk, known.pk}
    assert not Profile.objects.filter(pk=merged.pk).exists()
    left = {gone.pk, other.pk, merged.pk}
    for model in (Identifier, Interaction, TraitChange):
        assert not model.objects.filter(profile_id__in=left).exists()
    assert not IdentityLink.objects.exists()
    process_touched()
    assert members(everyone) == {back.pk}
    assert aging.survey_strangers(NOW - timedelta(days=395)).waiting == 0


@pytest.mark.django_db
def test_a_visitor_who_said_or_got_something_is_kept_and_does_not_stand_in_the_way_of_others() -> None:
    said = [stranger() for _number in range(3)]
    news = purpose()
    for visitor in said:
        say(visitor, news, "refused")
    restricted = stranger()
    Profile.objects.filter(pk=restricted.pk).update(restricted_at=NOW)
    phone = stranger()
    Identifier.objects.filter(profile=phone).update(kind="phone", value="+31612345678")
    gone = stranger(seen=LONG_AGO + timedelta(days=1))  # behind more kept ones than fit a batch
    assert remove("strangers") == 1
    assert set(Profile.objects.values_list("pk", flat=True)) == {restricted.pk, phone.pk, *(one.pk for one in said)}
    assert not Profile.objects.filter(pk=gone.pk).exists()
    assert ConsentRecord.objects.count() == 3


@pytest.mark.django_db
def test_a_visitor_of_an_audience_is_kept() -> None:
    visitor = stranger()
    run_campaign(campaign(visitor))
    assert remove("strangers") == 0


@pytest.mark.django_db(transaction=True)
def test_a_visitor_who_comes_back_while_they_are_removed_loses_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "MAX_BLOCK_ROWS", 3)
    origin = source()
    for number in range(40):
        send(origin, track(f"a{number}", anonymousId=f"d{number}"))
    Profile.objects.update(last_seen_at=LONG_AGO)
    for number in range(40):
        put(origin, [track(f"b{number}", "Back", anonymousId=f"d{number}")])
    failures: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=run, args=[lambda: drain_inbox(seconds=30)]),
        threading.Thread(target=run, args=[lambda: remove("strangers")]),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    drain_inbox(seconds=30)
    assert Interaction.objects.filter(name="Back").count() == 40
    owners = set(Interaction.objects.filter(name="Back").values_list("profile_id", flat=True))
    assert owners == set(Profile.objects.filter(merged_into=None).values_list("pk", flat=True)) and len(owners) == 40
    assert not RejectedMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_bodies_go_by_the_day_but_not_while_a_message_waits() -> None:
    origin, today = source(), datetime.now(UTC).date()
    days = [today - timedelta(days=step) for step in (50, 49, 48, 10)]
    partitions.ensure_days(days)
    for number, day in enumerate(days):
        put(origin, [track(f"m{number}", userId="u1")], at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    InboxEntry.objects.exclude(received_at__date=days[1]).delete()
    before = datetime.now(UTC) - timedelta(days=30)
    assert aging.survey_bodies(before).waiting == 3
    assert remove("raw_bodies", before=before) == 2
    assert {row.received_at.date() for row in RawMessage.objects.all()} == {days[1], days[3]}
    InboxEntry.objects.all().delete()
    assert remove("raw_bodies", before=before) == 1
    assert aging.survey_bodies(before).waiting == 0


@pytest.mark.django_db(transaction=True)
def test_events_go_by_the_month_and_segments_follow() -> None:
    partitions.ensure_months([date(2023, 5, 1)])
    keen, once = person("keen@example.org"), person("once@example.org")
    happened(keen, "Order Completed", NOW - timedelta(days=3))
    for visitor in (keen, once):
        happened(visitor, "Order Completed", datetime(2023, 5, 3, tzinfo=UTC))
        happened(visitor, "Order Completed", datetime(2010, 5, 3, tzinfo=UTC))
    buyers = segment("Buyers", event("Order Completed"))
    assert members(buyers) == {keen.pk, once.pk}
    before = NOW - timedelta(days=400)
    assert aging.survey_interactions(before).waiting == 4
    assert remove("interactions", before=before, limit=1) == 4
    assert Interaction.objects.get().profile_id == keen.pk
    assert date(2023, 5, 1) not in partitions.interaction_months() and not partitions.detached_months()
    process_touched()
    assert members(buyers) == {keen.pk}


@pytest.mark.django_db(transaction=True)
def test_a_month_that_was_taken_out_before_a_kill_is_emptied_by_the_next_run() -> None:
    partitions.ensure_months([date(2023, 5, 1)])
    happened(person("anna@example.org"), "Order Completed", datetime(2023, 5, 3, tzinfo=UTC))
    partitions.detach_month(date(2023, 5, 1))
    assert remove("interactions", before=NOW - timedelta(days=400)) == 1
    assert not partitions.detached_months()


@pytest.mark.django_db
def test_hours_are_added_up_to_months_and_the_totals_stay() -> None:
    origin = source()
    begin = datetime(2024, 3, 1, tzinfo=UTC)
    for hour in (0, 5, 30, 31 * 24):
        counts = {"received": 10, "stored": 7, "duplicate": 2, "conflicting": 1, "rejected": 1}
        SourceCounter.objects.create(source=origin, hour=begin + timedelta(hours=hour), **counts)
    this_hour = NOW.replace(minute=0, second=0, microsecond=0)
    SourceCounter.objects.create(source=origin, hour=this_hour, received=1, stored=1)
    total = counts_of(origin)
    assert aging.survey_counters(NOW - timedelta(days=400)).waiting == 2
    assert remove("source_counters", limit=1) == 2
    assert counts_of(origin) == total
    march = SourceCounter.objects.get(hour=begin)
    assert (march.received, march.stored, march.conflicting) == (30, 21, 3)
    assert SourceCounter.objects.count() == 3


@pytest.mark.django_db
def test_what_has_its_own_time_goes_by_it() -> None:
    origin = source()
    for age in (10, 100):
        RejectedMessage.objects.create(
            source=origin, received_at=NOW - timedelta(days=age), raw_id=1, code="erased", payload={"a": age}
        )
    visitor = person("anna@example.org")
    for age in (900, 901, 10):
        TraitChange.objects.create(profile=visitor, key="plan", at=NOW - timedelta(days=age), cause="identify")
    assert remove("rejected_messages", before=NOW - timedelta(days=90)) == 1
    assert RejectedMessage.objects.get().payload == {"a": 10}
    assert retention.get("trait_changes").survey(NOW - timedelta(days=800)).waiting == 2
    assert remove("trait_changes", before=NOW - timedelta(days=800)) == 2
    assert TraitChange.objects.count() == 1


@pytest.mark.django_db
def test_an_empty_installation_has_nothing_to_remove_and_says_so() -> None:
    for name, data in retention.items():
        if data.atomic:
            assert remove(name, before=NOW) >= 0
            survey = data.survey(NOW - timedelta(days=3650))
            assert survey.waiting == 0, name
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
