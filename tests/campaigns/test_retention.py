"""What was sent is kept for its time: the values go first, later the decisions, and the report stays true."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.checks import forecast_of, needs_confirmation
from campaigns.models import Campaign, Delivery, SendQueue
from campaigns.report import report_of
from campaigns.retention import blank_values, remove_decisions, survey_decisions, survey_values
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import resend_unknown, schedule_campaign
from cdp.common.errors import CdpError
from cdp.common.retention import Position, Step
from tests.campaigns.factories import campaign, readers
from tests.consent.factories import person, purpose

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def sent(days_ago: int, name: str) -> Campaign:
    """Return a campaign to three readers and one who may not get it, as it is so many days after it ended."""
    news = purpose(name)
    row = campaign(*readers(3, news, prefix=name), person(f"{name}@klantbeeld.example"), of=news)
    schedule_campaign(campaign_id=row.pk, actor=None, confirm=needs_confirmation(forecast_of(row)) or None)
    start_due_campaigns()
    Delivery.objects.of_campaign(row.pk).filter(outcome="pending").update(
        outcome="sent",
        context={"first_name": name},
        smtp_reply="250 ok",
        address_digest="d",
        consent_record_id=1,
        attempts=1,
    )
    SendQueue.objects.filter(campaign_id=row.pk).delete()
    Campaign.objects.filter(pk=row.pk).update(status="done", finished_at=NOW - timedelta(days=days_ago))
    row.refresh_from_db()
    return row


def all_steps(remove: Callable[[datetime, int, Position], Step], days: int) -> int:
    """Remove in batches of two; return how many rows went."""
    position: Position = {}
    removed = 0
    while True:
        step = remove(NOW - timedelta(days=days), 2, position)
        removed += step.removed
        if step.position is None:
            return removed
        position = step.position


def test_values_go_and_the_decision_stays(client_as: Callable[[str], Client]) -> None:
    old, young = sent(500, "old"), sent(10, "young")
    assert survey_values(NOW - timedelta(days=400)).waiting == 1
    assert all_steps(blank_values, 400) == 3
    rows = Delivery.objects.of_campaign(old.pk)
    assert not rows.exclude(context={}, smtp_reply="", address_digest="").exists()
    assert rows.filter(outcome="sent", consent_record_id__isnull=False).count() == 3
    assert Delivery.objects.of_campaign(young.pk).exclude(context={}).count() == 3
    assert survey_values(NOW - timedelta(days=400)).waiting == 0
    assert all_steps(blank_values, 400) == 0
    delivery = rows.filter(outcome="sent").first()
    assert delivery is not None
    page = client_as("Marketer").get(reverse("campaigns:delivery", args=[old.pk, delivery.uuid]))
    assert b"was deleted when its time was up" in page.content


def test_decisions_go_and_the_report_stays(client_as: Callable[[str], Client]) -> None:
    old, young = sent(2000, "old"), sent(10, "young")
    before = report_of(old).as_dict()
    assert (before["sent"], before["skipped"], before["adds_up"]) == (3, 1, True)
    assert all_steps(remove_decisions, 1825) == 4
    assert not Delivery.objects.of_campaign(old.pk).exists()
    assert Delivery.objects.of_campaign(young.pk).count() == 4
    old.refresh_from_db()
    assert report_of(old).as_dict() == before
    page = client_as("Marketer").get(f"/campaigns/{old.pk}/")
    assert b"The decisions were deleted when their time was up" in page.content
    assert survey_decisions(NOW - timedelta(days=1825)).waiting == 0
    with pytest.raises(CdpError, match="were deleted when their time was up"):
        resend_unknown(campaign_id=old.pk, confirm=0)


def test_a_campaign_that_is_not_over_keeps_everything() -> None:
    row = sent(2000, "held")
    Campaign.objects.filter(pk=row.pk).update(status="paused")
    assert all_steps(blank_values, 1) == 0 and all_steps(remove_decisions, 1) == 0
