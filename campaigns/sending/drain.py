"""Drain the send queue: several connections to the mail server side by side, until nothing is due."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from campaigns.models import Campaign
from campaigns.sending import queue
from campaigns.sending.breaker import Breakers
from campaigns.sending.compose import Job, job_of
from campaigns.sending.starting import finish_campaigns
from campaigns.sending.worker import Sender
from campaigns.smtp import SmtpSession

logger = logging.getLogger(__name__)

#: processes that send at the same time, over all machines; more wait for the next wake-up
SLOTS = 2
CONNECTIONS = 4  # to the mail server, in each process
DRAIN_SECONDS = 50
_LOCK_SPACE = 0x5E4D  # of the advisory locks that are the slots


def drain_sends(*, seconds: float = DRAIN_SECONDS, connections: int = CONNECTIONS) -> bool:
    """Send what is due; tell whether more is waiting. Does nothing when all slots are taken."""
    queue.recover()
    with _slot() as free:
        if free and sendable_campaigns():
            _send_side_by_side(seconds, connections)
    finish_campaigns()
    return bool(free and sendable_campaigns())


def sendable_campaigns() -> list[int]:
    """Return campaigns with messages due now, those that have waited longest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT campaign.id FROM campaigns_campaign AS campaign
            CROSS JOIN LATERAL (
                SELECT due_at FROM campaigns_sendqueue AS queue
                WHERE queue.campaign_id = campaign.id AND queue.phase = 'waiting' AND queue.due_at <= now()
                ORDER BY due_at LIMIT 1) AS first
            WHERE campaign.status = 'sending' AND (campaign.hold_until IS NULL OR campaign.hold_until <= now())
            ORDER BY first.due_at, campaign.id
            """
        )
        return [row[0] for row in cursor.fetchall()]


def _send_side_by_side(seconds: float, connections: int) -> None:
    until = time.monotonic() + seconds
    process = f"{socket.gethostname()[:12]}:{os.getpid()}:{secrets.token_hex(4)}"
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_leases, args=(process, stop), daemon=True)
    keeper.start()
    breakers = Breakers()
    try:
        with ThreadPoolExecutor(max_workers=connections) as pool:
            for future in [
                pool.submit(_one_connection, f"{process}/{number}", until, breakers) for number in range(connections)
            ]:
                future.result()
    finally:
        stop.set()
        keeper.join()


def _one_connection(name: str, until: float, breakers: Breakers) -> None:
    """Work through the campaigns in turn, a block each, so that a small one need not wait for a large one."""
    jobs: dict[int, Job] = {}
    try:
        with SmtpSession(settings.MAIL_SERVER) as session:
            sender = Sender(name, session, breakers)
            while time.monotonic() < until:
                done = 0
                for campaign_id in sendable_campaigns():
                    if campaign_id not in jobs:
                        campaign = Campaign.objects.select_related("purpose", "message_version").get(pk=campaign_id)
                        jobs[campaign_id] = job_of(campaign)
                    done += sender.work(jobs[campaign_id])
                    if time.monotonic() >= until:
                        break
                if not done:
                    break
    finally:
        connection.close()


def _keep_leases(process: str, stop: threading.Event) -> None:
    """Renew this process's leases, so that a slow mail server is not taken for a dead worker."""
    try:
        while not stop.wait(queue.LEASE_SECONDS / 4):
            try:
                queue.renew(worker_prefix=process)
            except Exception:
                logger.warning("could not renew the leases of %s", process, exc_info=True)
                connection.close()
    finally:
        connection.close()


@contextmanager
def _slot() -> Iterator[bool]:
    """Hold one of the sending slots, a session lock of the database that a dead process gives back by dying."""
    with connection.cursor() as cursor:
        for number in range(SLOTS):
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_SPACE, number])
            if cursor.fetchone()[0]:
                try:
                    yield True
                finally:
                    with connection.cursor() as closing:
                        closing.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, number])
                return
    yield False
