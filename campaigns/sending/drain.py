"""Drain the send queue: several connections to the mail server side by side, until nothing is due."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

from campaigns.sending import queue
from campaigns.sending.lines import Lines
from campaigns.sending.starting import finish_campaigns

#: processes that send at the same time, over all machines; more wait for the next wake-up
SLOTS = 2
CONNECTIONS = 4  # to the mail server, in each process
DRAIN_SECONDS = 50
_LOCK_SPACE = 0x5E4D  # of the advisory locks that are the slots


def drain_sends(*, seconds: float = DRAIN_SECONDS, connections: int = CONNECTIONS) -> bool:
    """Send what is due; tell whether more is waiting. Does nothing when all slots are taken."""
    queue.recover()
    more = False
    with _slot() as free:
        if free and sendable_campaigns():
            process = f"{socket.gethostname()[:12]}:{os.getpid()}:{secrets.token_hex(4)}"
            more = Lines(process=process, sendable=sendable_campaigns, seconds=seconds, connections=connections).run()
    finish_campaigns()
    return more and bool(sendable_campaigns())


def sendable_campaigns() -> list[tuple[int, bool]]:
    """Return campaigns with messages due now, those that have waited longest first, and whether each was in trouble."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT campaign.id, campaign.trouble_count > 0 FROM campaigns_campaign AS campaign
            CROSS JOIN LATERAL (
                SELECT due_at FROM campaigns_sendqueue AS queue
                WHERE queue.campaign_id = campaign.id AND queue.phase = 'waiting' AND queue.due_at <= now()
                ORDER BY due_at LIMIT 1) AS first
            WHERE campaign.status = 'sending' AND (campaign.hold_until IS NULL OR campaign.hold_until <= now())
            ORDER BY first.due_at, campaign.id
            """
        )
        return [(row[0], row[1]) for row in cursor.fetchall()]


@contextmanager
def _slot() -> Iterator[bool]:
    """Hold one of the sending slots, a session lock of the database that a dead process gives back by dying."""
    for number in range(SLOTS):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_SPACE, number])
            mine = bool(cursor.fetchone()[0])
        if mine:
            try:
                yield True
            finally:
                try:
                    with connection.cursor() as closing:
                        closing.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, number])
                except DatabaseError:  # it went away meanwhile, and so gave the lock back
                    connection.close()
            return
    yield False
