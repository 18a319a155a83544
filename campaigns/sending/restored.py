"""Campaigns in a database that was put back from a backup: they stand still, and nobody gets the same mail again."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone

from campaigns.models import Campaign, CampaignStatus
from campaigns.pauses import RESTORED, RESTORED_BLIND
from campaigns.sending.sent_log import SentLog
from cdp.common.arrays import numbers, texts

#: whatever could send by itself, or by a click of somebody who does not know
_OPEN = (CampaignStatus.SCHEDULED, CampaignStatus.SENDING, CampaignStatus.PAUSED)
_BATCH = 10_000


def halt() -> None:
    """Pause everything that is on its way; what was sent since is found out afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_campaign SET status = 'paused', pause_code = %s, pause_params = '{}', trouble_count = 0, "
            "hold_until = NULL, changed_at = now() WHERE status = ANY(%s)",
            [RESTORED_BLIND, list(_OPEN)],
        )


def settle() -> dict[str, int]:
    """Take those who were mailed after the backup out of the queue, and say with each campaign how many they are."""
    paused = mailed = 0
    for campaign in Campaign.objects.filter(status=CampaignStatus.PAUSED, pause_code=RESTORED_BLIND).order_by("pk"):
        log = SentLog(campaign.uuid)
        people = len(log.handed_over())
        if campaign.audience_built_at is not None:
            take_out_mailed(campaign)
            people = _perhaps_mailed(campaign)
        if campaign.is_single:
            campaign.restored_at = timezone.now()
            campaign.save(update_fields=["restored_at"])
        paused += 1
        mailed += people
        if log.path.parent.exists():
            campaign.pause_code, campaign.pause_params = RESTORED, {"people": people}
            campaign.save(update_fields=["pause_code", "pause_params"])
    return {"paused": paused, "perhaps_mailed": mailed}


@transaction.atomic
def take_out_mailed(campaign: Campaign) -> int:
    """Decide `unknown` about everybody who waits and stands in the log of what was handed over; return how many.

    In a database that was never restored nobody waits who stands there.
    """
    log = SentLog(campaign.uuid)
    handed_over = log.handed_over()
    if not handed_over:
        return 0
    taken = 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT queue.profile_id, queue.occurrence, profile.uuid FROM campaigns_sendqueue AS queue "
            "JOIN profiles_profile AS profile ON profile.id = queue.profile_id "
            "WHERE queue.campaign_id = %s AND queue.phase = 'waiting' FOR UPDATE OF queue SKIP LOCKED",
            [campaign.pk],
        )
        waiting = cursor.fetchall()
        mailed = [
            (key, occurrence)
            for key, occurrence, uuid in waiting
            if any(form in handed_over for form in log.forms(uuid, occurrence))
        ]
        for start in range(0, len(mailed), _BATCH):
            batch = mailed[start : start + _BATCH]
            cursor.execute(
                """
                WITH gone AS (
                    DELETE FROM campaigns_sendqueue
                    WHERE campaign_id = %s
                      AND (profile_id, occurrence) IN (SELECT * FROM unnest(%s::bigint[], %s::text[]))
                    RETURNING profile_id, occurrence, attempts
                )
                UPDATE campaigns_delivery AS delivery
                SET outcome = 'unknown', reason = 'sent_before_restore', attempts = gone.attempts + 1,
                    finished_at = now()
                FROM gone WHERE delivery.campaign_id = %s AND delivery.profile_id = gone.profile_id
                  AND delivery.occurrence = gone.occurrence AND delivery.outcome = 'pending'
                """,
                [campaign.pk, numbers(key for key, _o in batch), texts(name for _k, name in batch), campaign.pk],
            )
            taken += cursor.rowcount
    return taken


def _perhaps_mailed(campaign: Campaign) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM campaigns_delivery "
            "WHERE campaign_id = %s AND outcome = 'unknown' AND reason = 'sent_before_restore'",
            [campaign.pk],
        )
        return int(cursor.fetchone()[0])
