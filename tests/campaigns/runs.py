"""Send a campaign in a test, and read what became of it."""

from __future__ import annotations

from campaigns.checks import forecast_of, needs_confirmation
from campaigns.models import Campaign, Delivery
from campaigns.sending.drain import drain_sends
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import schedule_campaign
from profiles.models import Profile


def run(row: Campaign) -> Campaign:
    """Schedule a draft for now, start it and send until nothing is due."""
    row.refresh_from_db()
    if row.status == "draft":
        schedule_campaign(campaign_id=row.pk, actor=None, confirm=confirmed(row))
    start_due_campaigns()
    while drain_sends(seconds=20):
        pass
    row.refresh_from_db()
    return row


def confirmed(row: Campaign) -> int | None:
    """Return the number that a person types when most of the base would get it."""
    return needs_confirmation(forecast_of(row)) or None


def outcomes(row: Campaign) -> dict[str, tuple[str, str]]:
    """Return (outcome, reason) by the local part of the address."""
    names = dict(Profile.objects.values_list("pk", "email"))
    return {
        (names[one.profile_id] or str(one.profile_id)).partition("@")[0]: (one.outcome, one.reason)
        for one in Delivery.objects.of_campaign(row.pk)
    }
