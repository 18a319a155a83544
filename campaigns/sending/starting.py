"""Start what is due, finish what is through. The database's clock and conditional updates decide, so that any number of
beats and workers do each step once."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from django.db import connection, transaction

from campaigns import pauses
from campaigns.audience import write_decisions
from campaigns.models import Campaign
from campaigns.sending.restored import take_out_mailed
from cdp.common import queues
from cdp.common.faults import bounded, persist
from cdp.common.journal.restoring import may_work
from cdp.common.models import DeadLetter
from cdp.common.queue_items import Claim, feed, put, work_items
from cdp.common.queues import Run
from cdp.common.wake import wake
from segments.models import Segment

logger = logging.getLogger(__name__)

NAME = "starts"
#: what a statement over the whole base may take, twice over
ITEM_SECONDS = 1200.0
#: a campaign waits so long for segments that are being counted anew
COUNTING_SECONDS = 900
#: a campaign that is this much too late (an outage over its hour) asks instead of starting
LATE_HOURS = 6
_ALL_DECIDED = "audience_built_at IS NOT NULL"
_WAITING = """
SELECT count(*), extract(epoch FROM now() - min(coalesce(q.due_at, c.scheduled_at)))::float
FROM campaigns_campaign c LEFT JOIN common_queueitem q ON q.queue = %s AND q.key = c.id
WHERE (c.status = 'scheduled' AND c.scheduled_at <= now() OR c.status = 'sending' AND c.audience_built_at IS NULL)
  AND (q.due_at IS NULL OR q.due_at <= now()) AND q.holder IS NULL
"""


def start_due_campaigns() -> None:
    """Start every campaign whose hour has come."""
    queues.drain(NAME)


def work_starts(run: Run) -> int:
    """Start what is due and decide about its audience, one campaign, one item; return how many."""
    if not may_work():
        return 0
    _take_due()
    feed(NAME, "SELECT id FROM campaigns_campaign WHERE status = 'sending' AND audience_built_at IS NULL")
    return work_items(run, _start, on_failure=_note_failure)


def measure() -> tuple[int, float | None]:
    """Return how many campaigns should have an audience by now and nobody is at it, and for how long the first has."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [NAME])
        count, age = cursor.fetchone()
    return count, age


def retry_start(letter: DeadLetter) -> None:
    """Let a campaign go on that was paused because its audience could not be built; others are left alone."""
    waiting = Campaign.objects.filter(pk=int(letter.key), status="paused", pause_code=pauses.AUDIENCE_FAILED)
    if waiting.update(status="sending", pause_code="", pause_params={}):
        put(NAME, [int(letter.key)])
        wake("campaigns.start_due")


def _take_due() -> None:
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
            WHERE status = 'scheduled' AND scheduled_at <= now()
            """
        )


def _start(claim: Claim) -> None:
    if not persist(lambda: build_audience(claim.key, patient=claim.waited < COUNTING_SECONDS)):
        claim.give_back(seconds=5)


def _note_failure(claim: Claim, letter: DeadLetter | None, error: str) -> None:
    if letter is not None:
        _pause(claim.key, pauses.AUDIENCE_FAILED, {"error": error})


@transaction.atomic
def build_audience(campaign_id: int, *, patient: bool = False) -> bool:
    """Decide about every member and queue those allowed, all or nothing; return False when it has to be tried again.

    A `patient` one waits for segments that are being counted; else that pauses the campaign, as all that forbids it.
    """
    rows = Campaign.objects.select_for_update(of=("self",)).filter(status="sending", audience_built_at=None)
    campaign = rows.filter(pk=campaign_id).first()
    if campaign is None:
        return True
    if problem := audience_problem(campaign):
        if problem == pauses.NOT_COUNTED and patient:
            return False
        _pause(campaign_id, problem)
        return True
    with bounded(ITEM_SECONDS):
        total = write_decisions(campaign)
        take_out_mailed(campaign)
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
    if any(one.refreshed_at is None or one.behind_since for one in [segment, *excluded]):
        return pauses.NOT_COUNTED
    return ""


def finish_campaigns() -> int:
    """Close campaigns with nothing left to send, and settle what came back after a cancel; return how many closed."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE campaigns_campaign AS campaign SET status = 'done', finished_at = now(), changed_at = now(),
                trouble_count = 0, hold_until = NULL, pause_code = '', pause_params = '{{}}'
            WHERE kind = 'campaign' AND status = 'sending' AND {_ALL_DECIDED}
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
                SELECT campaign_id, profile_id, occurrence FROM campaigns_sendqueue
                WHERE campaign_id = %s AND phase <> 'handing_over' ORDER BY profile_id, occurrence FOR UPDATE
            ), gone AS (
                DELETE FROM campaigns_sendqueue AS queue USING chosen
                WHERE queue.campaign_id = chosen.campaign_id AND queue.profile_id = chosen.profile_id
                  AND queue.occurrence = chosen.occurrence
                RETURNING queue.profile_id, queue.occurrence
            )
            UPDATE campaigns_delivery AS delivery
            SET outcome = 'cancelled', reason = 'cancelled', finished_at = now()
            FROM gone WHERE delivery.campaign_id = %s AND delivery.profile_id = gone.profile_id
              AND delivery.occurrence = gone.occurrence AND delivery.outcome = 'pending'
            """,
            [campaign_id, campaign_id],
        )
        return int(cursor.rowcount)


def _pause(campaign_id: int, code: str, params: Mapping[str, str] | None = None) -> None:
    paused = {"status": "paused", "pause_code": code, "pause_params": dict(params or {})}
    Campaign.objects.filter(pk=campaign_id, status="sending").update(**paused)
    logger.warning("campaign %s paused before its audience was taken: %s", campaign_id, code)
