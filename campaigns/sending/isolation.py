"""A message that cannot be made for one person, for a reason that nobody foresaw: tried again, then given up alone."""

from __future__ import annotations

from django.db import connection, transaction

from campaigns.models import Campaign, Delivery, SendQueue
from cdp.common.models import DeadLetter
from cdp.common.queues import MAX_ATTEMPTS, backoff_seconds, bury, queues
from cdp.common.wake import wake

REASON = "render_error"


@transaction.atomic
def put_off(*, campaign_id: int, worker: str, profile_id: int, error: Exception, occurrence: str = "") -> None:
    """Let a message that this worker claimed wait; after its last attempt it fails, and is a dead letter."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_sendqueue SET attempts = attempts + 1 "
            "WHERE campaign_id = %s AND profile_id = %s AND occurrence = %s AND worker = %s AND phase = 'claimed' "
            "RETURNING attempts",
            [campaign_id, profile_id, occurrence, worker],
        )
        if (found := cursor.fetchone()) is None:
            return
        attempts = int(found[0])
        if attempts < MAX_ATTEMPTS:
            cursor.execute(
                "UPDATE campaigns_sendqueue SET phase = 'waiting', worker = '', lease_until = NULL, "
                "due_at = now() + make_interval(secs => %s) WHERE campaign_id = %s AND profile_id = %s "
                "AND occurrence = %s",
                [backoff_seconds(attempts), campaign_id, profile_id, occurrence],
            )
            return
        cursor.execute(
            "UPDATE campaigns_delivery SET outcome = 'failed', reason = %s, attempts = %s, finished_at = now() "
            "WHERE campaign_id = %s AND profile_id = %s AND occurrence = %s AND outcome = 'pending'",
            [REASON, attempts, campaign_id, profile_id, occurrence],
        )
    SendQueue.objects.filter(campaign_id=campaign_id, profile_id=profile_id, occurrence=occurrence).delete()
    payload = {"campaign_id": campaign_id, "profile_id": profile_id, "occurrence": occurrence}
    key = f"{campaign_id}:{profile_id}" + (f":{occurrence}" if occurrence else "")
    bury(queues.get("sends"), key, error=error, attempts=attempts, payload=payload)


def retry_send(letter: DeadLetter) -> None:
    """Queue the message of a dead letter again, unless its campaign was cancelled."""
    campaign_id, profile_id = letter.payload["campaign_id"], letter.payload["profile_id"]
    occurrence = letter.payload.get("occurrence", "")
    campaign = (
        Campaign.objects.select_for_update(of=("self",)).filter(pk=campaign_id).exclude(status="cancelled").first()
    )
    failed = Delivery.objects.filter(
        campaign_id=campaign_id, profile_id=profile_id, occurrence=occurrence, outcome="failed", reason=REASON
    )
    if campaign is None or not failed.update(outcome="pending", reason="", finished_at=None):
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_sendqueue (campaign_id, profile_id, occurrence, due_at, worker, attempts, phase) "
            "VALUES (%s, %s, %s, now(), '', 0, 'waiting') ON CONFLICT DO NOTHING",
            [campaign_id, profile_id, occurrence],
        )
    Campaign.objects.filter(pk=campaign_id, status="done").update(status="sending", finished_at=None)
    wake("campaigns.drain_sends")
