"""The circuit breaker: wait when the mail server is in trouble, pause with a plain reason when it takes a person."""

from __future__ import annotations

import json
import logging

from django.db import connection

from campaigns.sending.verdicts import HOLD_SECONDS, HOLDS, PROBE_SECONDS
from consent.services import suppress_address

logger = logging.getLogger(__name__)


def begin_probe(*, campaign_id: int) -> bool:
    """Be the one who tries a campaign in trouble with one message; False when somebody does already."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_campaign SET hold_until = now() + make_interval(secs => %s) "
            "WHERE id = %s AND status = 'sending' AND trouble_count > 0 AND hold_until <= now()",
            [PROBE_SECONDS, campaign_id],
        )
        return bool(cursor.rowcount)


def hold_campaign(*, campaign_id: int, reply: str, kind: str = "unreachable", probe: bool = False) -> None:
    """Leave a campaign alone for a while, longer each time; pause it after HOLDS times without a success between.

    `kind` is `unreachable` or `silent`. Any number of connections that fail at the same moment count as one; what a
    probe finds always counts.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE campaigns_campaign
            SET trouble_count = trouble_count + 1, pause_code = %s, pause_params = %s,
                hold_until = now() + make_interval(secs => %s * power(2, trouble_count))
            WHERE id = %s AND status = 'sending' AND (%s OR hold_until IS NULL OR hold_until <= now())
            RETURNING trouble_count
            """,
            [f"hold_{kind}", json.dumps({"reply": reply[:300]}), HOLD_SECONDS, campaign_id, probe],
        )
        row = cursor.fetchone()
    if row and row[0] >= HOLDS:
        pause_for_trouble(campaign_id=campaign_id, kind=kind, reply=reply)


def working_again(*, campaign_id: int) -> None:
    """Forget earlier trouble after a success."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_campaign SET trouble_count = 0, hold_until = NULL, pause_code = '', pause_params = '{}' "
            "WHERE id = %s AND status = 'sending' AND trouble_count > 0",
            [campaign_id],
        )


def pause_for_trouble(*, campaign_id: int, kind: str, reply: str) -> None:
    """Pause a campaign that is being sent; `kind` is a code of PAUSES. Messages on their way are finished."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_campaign SET status = 'paused', pause_code = %s, pause_params = %s, "
            "trouble_count = 0, hold_until = NULL, changed_at = now() WHERE id = %s AND status = 'sending'",
            [kind, json.dumps({"reply": reply[:300]}), campaign_id],
        )
        if cursor.rowcount:
            logger.warning("campaign %s paused: %s", campaign_id, kind)


def suppress_bounced(*, address: str, campaign_id: int) -> None:
    """Put an address that does not exist on the suppression list, through the consent service."""
    suppress_address(
        kind="email", value=address, reason="bounce", actor="system:campaigns", note=f"campaign:{campaign_id}"
    )
