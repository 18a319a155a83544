"""Drain the send queue: several connections to the mail server side by side, until nothing is due."""

from __future__ import annotations

import os
import socket
import time

from django.db import connection

from campaigns.sending import queue
from campaigns.sending.lines import Due, Lines
from campaigns.sending.starting import finish_campaigns
from cdp.common import queues
from cdp.common.journal.restoring import may_work
from cdp.common.queues import GIVE_WAY_SECONDS, Run

NAME = "sends"
CONNECTIONS = 4  # to the mail server, in each process

# Rows at which somebody is at work do not wait: a large campaign has been due for as long as it takes to send it.
_WAITING = """
SELECT count(*), extract(epoch FROM now() - min(due_at))::float FROM (
    SELECT queue.due_at FROM campaigns_campaign AS campaign
    JOIN campaigns_sendqueue AS queue ON queue.campaign_id = campaign.id
    WHERE campaign.status = 'sending' AND (campaign.hold_until IS NULL OR campaign.hold_until <= now())
      AND queue.phase = 'waiting' AND queue.due_at <= now()
      AND NOT EXISTS (SELECT 1 FROM campaigns_sendqueue AS busy WHERE busy.campaign_id = campaign.id
                      AND busy.phase <> 'waiting' AND busy.lease_until > now())
    LIMIT 100001) AS due
"""


def drain_sends(*, seconds: float = GIVE_WAY_SECONDS) -> bool:
    """Send what is due; tell whether time was up first. Does nothing when all slots are taken."""
    return queues.drain(NAME, seconds=seconds)


def work_sends(run: Run) -> int:
    """Take up what dead workers left, send what is due, and close campaigns that are through; return how many."""
    if not may_work():
        return 0
    queue.recover()
    done = 0
    if sendable_campaigns():
        # Claims name the holder first: what a dead one had only claimed is given back at once.
        process = f"{run.holder}:{socket.gethostname()[:12]}:{os.getpid()}"
        lines = Lines(
            process=process,
            sendable=sendable_campaigns,
            seconds=run.ends - time.monotonic(),
            connections=CONNECTIONS,
        )
        lines.run()
        done = lines.claimed
        if not connection.is_usable():
            connection.close()  # it went away while the lines were sending, each over one of its own
    finish_campaigns()
    return done


def measure() -> tuple[int, float | None]:
    """Return how many messages are due and nobody is at (at most 100,001), and for how long the first has been."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        count, age = cursor.fetchone()
    return count, age


def sendable_campaigns() -> list[Due]:
    """Return campaigns with messages due now, those that have waited longest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT campaign.id, campaign.trouble_count > 0, campaign.kind = 'single' FROM campaigns_campaign AS campaign
            CROSS JOIN LATERAL (
                SELECT due_at FROM campaigns_sendqueue AS queue
                WHERE queue.campaign_id = campaign.id AND queue.phase = 'waiting' AND queue.due_at <= now()
                ORDER BY due_at LIMIT 1) AS first
            WHERE campaign.status = 'sending' AND (campaign.hold_until IS NULL OR campaign.hold_until <= now())
            ORDER BY first.due_at, campaign.id
            """
        )
        return [Due(*row) for row in cursor.fetchall()]
