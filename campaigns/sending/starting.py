"""Start what is due, finish what is through. The database's clock and conditional updates decide, so that any number of
beats and workers do each step once."""

from __future__ import annotations

import logging

from django.db import connection, transaction

from campaigns import pauses
from campaigns.audience import write_decisions
from campaigns.models import Campaign
from cdp.common.wake import wake
from segments.models import Segment

logger = logging.getLogger(__name__)

#: a campaign that is this much too late (an outage over its hour) asks instead of starting
LATE_HOURS = 6
_ALL_DECIDED = "audience_built_at IS NOT NULL"


def start_due_campaigns() -> int:
    """Start every campaign whose hour has come; return how many were started here."""
    started = _take_due()
    for campaign_id in _without_audience():
        build_audience(campaign_id)
    return len(started)


def _take_due() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE campaigns_campaign
            SET status = 'paused', pause_code = %s, pause_params = '{}', changed_at = now()
            WHERE status = 'scheduled' AND scheduled_at < now() - make_interval(hours => %s)
            """,
            [pauses.LATE, LATE_HOURS],
        )
        cursor.execute(
            """
            UPDATE campaigns_campaign SET status = 'sending', started_at = now(), changed_at = now()
            WHERE status = 'scheduled' AND scheduled_at <= now() RETURNING id
            """
        )
        return [row[0] for row in cursor.fetchall()]


def _without_audience() -> list[int]:
    """Return campaigns that were started, here or by a worker that died since, and have no audience yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM campaigns_campaign WHERE status = 'sending' AND audience_built_at IS NULL ORDER BY id"
        )
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def build_audience(campaign_id: int) -> bool:
    """Decide about every member and queue those allowed, all or nothing; tell whether it was done here."""
    campaign = (
        Campaign.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(pk=campaign_id, status="sending", audience_built_at=None)
        .first()
    )
    if campaign is None:
        return False
    if problem := audience_problem(campaign):
        _pause(campaign_id, problem)
        return False
    total = write_decisions(campaign)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_campaign SET audience_total = %s, audience_built_at = now() WHERE id = %s",
            [total, campaign_id],
        )
    wake("campaigns.drain_sends")
    wake("campaigns.drain_sends")  # two processes: one core each on a small machine
    return True


def audience_problem(campaign: Campaign) -> str:
    """Return the code of why the audience may not be taken as it is now; empty when it may."""
    segment = campaign.segment
    if segment is None or segment.status != "live":
        return pauses.SEGMENT_BROKEN
    if segment.current_version_id != campaign.segment_version_id:
        return pauses.RULE_CHANGED
    excluded = Segment.objects.filter(pk__in=campaign.exclude_segment_ids, status="live")
    if len(excluded) != len(set(campaign.exclude_segment_ids)):
        return pauses.EXCLUDED_BROKEN
    if any(one.refreshed_at is None for one in [segment, *excluded]):
        return pauses.NOT_COUNTED
    return ""


def finish_campaigns() -> int:
    """Close campaigns with nothing left to send, and settle what came back after a cancel; return how many closed."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE campaigns_campaign AS campaign SET status = 'done', finished_at = now(), changed_at = now(),
                trouble_count = 0, hold_until = NULL, pause_code = '', pause_params = '{{}}'
            WHERE status = 'sending' AND {_ALL_DECIDED}
              AND NOT EXISTS (SELECT 1 FROM campaigns_sendqueue AS queue WHERE queue.campaign_id = campaign.id)
            """
        )
        closed = int(cursor.rowcount)
        cursor.execute(
            "SELECT id FROM campaigns_campaign WHERE status = 'cancelled' AND EXISTS "
            "(SELECT 1 FROM campaigns_sendqueue AS queue WHERE queue.campaign_id = campaigns_campaign.id)"
        )
        for (campaign_id,) in cursor.fetchall():
            cancel_waiting(campaign_id)
        return closed


@transaction.atomic
def cancel_waiting(campaign_id: int) -> int:
    """Cancel every message of a campaign that is not being handed over at this moment; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH chosen AS (
                SELECT campaign_id, profile_id FROM campaigns_sendqueue
                WHERE campaign_id = %s AND phase <> 'handing_over' ORDER BY profile_id FOR UPDATE
            ), gone AS (
                DELETE FROM campaigns_sendqueue AS queue USING chosen
                WHERE queue.campaign_id = chosen.campaign_id AND queue.profile_id = chosen.profile_id
                RETURNING queue.profile_id
            )
            UPDATE campaigns_delivery AS delivery
            SET outcome = 'cancelled', reason = 'cancelled', finished_at = now()
            FROM gone WHERE delivery.campaign_id = %s AND delivery.profile_id = gone.profile_id
              AND delivery.outcome = 'pending'
            """,
            [campaign_id, campaign_id],
        )
        return int(cursor.rowcount)


def _pause(campaign_id: int, code: str) -> None:
    Campaign.objects.filter(pk=campaign_id, status="sending").update(status="paused", pause_code=code, pause_params={})
    logger.warning("campaign %s paused before its audience was taken: %s", campaign_id, code)
