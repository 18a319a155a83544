"""When a campaign may start: at its hour, from a segment that is surely right, and never hours late by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.checks import checks_of
from campaigns.models import Campaign, Delivery
from campaigns.sending import starting
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import cancel_campaign, resume_campaign, schedule_campaign
from cdp.common.errors import CdpError
from cdp.common.models import QueueItem
from segments.models import Segment
from tests.campaigns.factories import campaign, readers, segment
from tests.consent.factories import purpose, say

pytestmark = pytest.mark.django_db


def scheduled(*, late: timedelta = timedelta(minutes=1), excluding: Segment | None = None) -> Campaign:
    """Return a campaign to two people whose hour has come `late` ago."""
    news = purpose()
    left_out = (excluding.pk,) if excluding else ()
    row = campaign(*readers(2, news), of=news, exclude_segment_ids=left_out)
    schedule_campaign(campaign_id=row.pk, actor=None)
    Campaign.objects.filter(pk=row.pk).update(scheduled_at=timezone.now() - late)
    return row


def started(row: Campaign) -> Campaign:
    """Let beat come by."""
    start_due_campaigns()
    row.refresh_from_db()
    return row


def test_a_campaign_that_is_a_few_hours_late_starts_once() -> None:
    row = started(scheduled(late=timedelta(hours=5)))
    assert row.status == "sending" and row.audience_total == 2
    assert started(row).audience_total == 2 and Delivery.objects.count() == 2


def test_a_campaign_more_than_six_hours_late_asks_instead_of_sending() -> None:
    row = started(scheduled(late=timedelta(hours=6, minutes=1)))
    assert row.status == "paused" and "Its hour passed" in row.pause_label
    assert not Delivery.objects.exists()
    resume_campaign(campaign_id=row.pk)
    assert started(row).status == "sending" and Delivery.objects.count() == 2


def test_a_late_campaign_can_be_let_go() -> None:
    row = started(scheduled(late=timedelta(days=2)))
    _row, people = cancel_campaign(campaign_id=row.pk)
    assert people == 0 and started(row).status == "cancelled" and not Delivery.objects.exists()


STATES: dict[str, tuple[dict[str, Any], str]] = {
    "broken": ({"status": "broken", "broken_code": "rule_refused"}, "segment_broken"),
    "put away": ({"status": "archived"}, "segment_broken"),
    "waiting for a refresh": ({"refreshed_at": None}, "segment_stale"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("role", ["audience", "left out"])
def test_a_segment_that_is_not_surely_right_keeps_a_campaign_from_being_scheduled(state: str, role: str) -> None:
    values, code = STATES[state]
    news = purpose()
    other = segment()
    row = campaign(*readers(2, news), of=news, exclude_segment_ids=(other.pk,))
    Segment.objects.filter(pk=(row.segment_id or 0) if role == "audience" else other.pk).update(**values)
    with pytest.raises(CdpError) as refused:
        schedule_campaign(campaign_id=row.pk, actor=None)
    assert refused.value.code == "campaign.not_ready" and code in refused.value.detail["checks"]
    row.refresh_from_db()
    assert row.status == "draft"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("role", ["audience", "left out"])
def test_a_segment_that_breaks_after_scheduling_pauses_at_the_start_and_mended_goes_on(
    state: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = segment()
    row = scheduled(excluding=other)
    monkeypatch.setattr(starting, "COUNTING_SECONDS", -10)
    key = (row.segment_id or 0) if role == "audience" else other.pk
    Segment.objects.filter(pk=key).update(**STATES[state][0])
    row = started(row)
    assert row.status == "paused" and "segment" in row.pause_label.lower() and "then resume" in row.pause_label
    assert not Delivery.objects.exists()
    with pytest.raises(CdpError) as refused:
        resume_campaign(campaign_id=row.pk)
    assert refused.value.code == "campaign.segment_changed"
    Segment.objects.filter(pk=key).update(status="live", refreshed_at=timezone.now())
    resume_campaign(campaign_id=row.pk)
    assert started(row).status == "sending" and Delivery.objects.count() == 2


def test_a_campaign_waits_for_a_segment_that_is_being_counted_anew() -> None:
    row = scheduled()
    Segment.objects.filter(pk=row.segment_id or 0).update(behind_since=timezone.now())
    assert started(row).status == "sending" and not Delivery.objects.exists()
    Segment.objects.filter(pk=row.segment_id or 0).update(behind_since=None)
    QueueItem.objects.update(due_at=timezone.now() - timedelta(hours=1))
    assert started(row).audience_total == 2


def test_people_who_said_no_are_not_written_to_without_a_reason() -> None:
    """A purpose of a contract reaches objectors: the campaign stops until it says why they need it."""
    news, recall = purpose(), purpose("recall", basis="contract", is_marketing=False)
    people = readers(3, news)
    row = campaign(*people, of=recall)
    assert [check.level for check in checks_of(row, None) if check.code.startswith("necessary")] == ["look"]
    say(people[0], news, "objected")
    say(people[1], news, "withdrawn")
    with pytest.raises(CdpError) as refused:
        schedule_campaign(campaign_id=row.pk, actor=None)
    assert "2 people who said no to marketing get it too" in str(refused.value.message)
    Campaign.objects.filter(pk=row.pk).update(necessary_because="the brakes may fail")
    row = schedule_campaign(campaign_id=row.pk, actor=None)
    assert row.status == "scheduled"
    found = next(check for check in checks_of(row, None) if check.code == "necessary")
    assert (found.level, "the brakes may fail" in found.message) == ("look", True)
