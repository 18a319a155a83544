"""The connections to the mail server, a thread each, and who watches over them.

A message that the server leaves without an answer keeps its own connection busy for up to two minutes. That is its own
affair: the rest of its block goes back to the queue, another connection takes its place, and the drain ends without it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from campaigns.models import Campaign
from campaigns.sending import queue
from campaigns.sending.breaker import Breakers
from campaigns.sending.compose import Job, job_of
from campaigns.sending.verdicts import STUCK_SECONDS
from campaigns.sending.worker import Sender
from campaigns.services.trouble import begin_probe, hold_campaign
from campaigns.smtp import Patience, SmtpSession
from cdp.common.faults import LOST, Fault, fault_of
from cdp.common.journal.identity import advance
from cdp.common.stopping import stop_requested

logger = logging.getLogger(__name__)

#: connections that hang, in one process, before it begins no more
MOST_STUCK = 8
WATCH_SECONDS = 0.25
PATIENCE = Patience()

#: lines of this process whose message still hangs, from earlier drains too
_alive: set[Line] = set()
_alive_lock = threading.Lock()

#: a line that is kept for single sends looks for them this often while it helps with a campaign
SINGLES_SECONDS = 0.5


class Due(NamedTuple):
    """A campaign with messages due."""

    campaign_id: int
    troubled: bool
    single: bool


#: those with messages due, the longest waiting first
Sendable = Callable[[], list[Due]]


class Line(threading.Thread):
    """One connection: works through the campaigns in turn, a block each, so that a small one need not wait.

    One line of each process is kept for single sends: somebody waits for such a mail now. It takes those first, and
    helps with campaigns for a moment at a time; the others take campaigns first. So neither keeps the other waiting.
    """

    def __init__(
        self,
        name: str,
        sendable: Sendable,
        until: float,
        breakers: Breakers,
        on_end: Callable[[], None],
        *,
        singles_first: bool = False,
        others_work: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(name=f"sender {name}", daemon=True)
        self.session = SmtpSession(settings.MAIL_SERVER, patience=PATIENCE)
        self.sender = Sender(name, self.session, breakers)
        self.error: BaseException | None = None
        self.claimed = 0
        self.singles_first = singles_first
        self._others_work = others_work
        self._sendable = sendable
        self._until = until
        self._on_end = on_end
        self._jobs: dict[int, Job] = {}

    def run(self) -> None:
        """Send until nothing is due or the time is up; a database that is away for a moment is waited for."""
        try:
            with self.session:
                while True:
                    try:
                        self._send_what_is_due()
                        return
                    except LOST as error:
                        fault = fault_of(error)
                        connection.close()
                        if fault is not Fault.SERVER or time.monotonic() >= self._until:
                            raise
                    time.sleep(1.0)
        except Exception as error:  # noqa: BLE001 - raised by the drain, so that the task fails visibly
            self.error = error
        finally:
            connection.close()
            with _alive_lock:
                _alive.discard(self)
            self._on_end()

    def hangs(self) -> bool:
        """Tell whether the message at work has been without an answer for too long to wait for it."""
        return self.session.busy and time.monotonic() - self.session.began_at > STUCK_SECONDS

    def _send_what_is_due(self) -> None:
        while self._goes_on():
            done = 0
            for due in sorted(self._sendable(), key=lambda due: due.single is not self.singles_first):
                done += self._send(due)
                if not self._goes_on():
                    return
            if not done:
                if not (self.singles_first and self._others_work()):
                    return
                time.sleep(WATCH_SECONDS)  # all that is due is in the blocks of others; a single send may come yet

    def _goes_on(self) -> bool:
        return time.monotonic() < self._until and not self.sender.surplus and not stop_requested.is_set()

    def _send(self, due: Due) -> int:
        campaign_id = due.campaign_id
        if due.single or campaign_id not in self._jobs:  # single sends go with the version of now
            related = ("purpose", "message_version", "message__current_version")
            self._jobs[campaign_id] = job_of(Campaign.objects.select_related(*related).get(pk=campaign_id))
        if due.troubled and not begin_probe(campaign_id=campaign_id):
            return 0
        seconds = SINGLES_SECONDS if self.singles_first and not due.single else float("inf")
        claimed = self.sender.work(self._jobs[campaign_id], probe=due.troubled, seconds=seconds)
        self.claimed += claimed
        return claimed


class Lines:
    """The connections of one drain."""

    def __init__(self, *, process: str, sendable: Sendable, seconds: float, connections: int) -> None:
        self._process = process
        self._sendable = sendable
        self._until = time.monotonic() + seconds
        self._wanted = connections
        self._lines: list[Line] = []
        self._open = 0
        self._over = threading.Event()  # the last line has ended, hanging ones too
        self._breakers = Breakers()

    def run(self) -> bool:
        """Send until nothing is due or the time is up, hanging messages aside; tell whether there was room to send."""
        advance()
        for number in range(self._wanted):
            self._begin(singles_first=number == 0)
        if not self._lines:
            logger.warning("all %d connections to the mail server hang; nothing more is begun", MOST_STUCK)
            return False
        threading.Thread(target=self._keep_leases, name="sender leases", daemon=True).start()
        while working := [line for line in self._lines if line.is_alive() and not line.sender.stuck]:
            working[0].join(WATCH_SECONDS)
            for line in working:
                if line.hangs() and not line.sender.stuck:
                    self._set_aside(line)
        for line in self._lines:
            if line.error is not None:
                raise line.error
        return True

    @property
    def claimed(self) -> int:
        """Return how many rows were claimed so far."""
        return sum(line.claimed for line in self._lines)

    def _begin(self, *, singles_first: bool) -> None:
        with _alive_lock:
            if sum(line.hangs() for line in _alive) >= MOST_STUCK:
                return
            name = f"{self._process}/{len(self._lines)}"
            line = Line(
                name,
                self._sendable,
                self._until,
                self._breakers,
                self._ended,
                singles_first=singles_first,
                others_work=self._campaigns_go_on,
            )
            _alive.add(line)
            self._open += 1
        self._lines.append(line)
        line.start()

    def _campaigns_go_on(self) -> bool:
        """Tell whether a line that takes campaigns first is still at work."""
        return any(line.is_alive() and not line.singles_first and not line.sender.stuck for line in self._lines)

    def _ended(self) -> None:
        with _alive_lock:
            self._open -= 1
            if not self._open:
                self._over.set()

    def _set_aside(self, line: Line) -> None:
        """Leave a line alone with the message that hangs: others take over the rest of its block, and its place."""
        line.sender.stuck = True
        campaign_id = line.sender.campaign_id
        logger.warning("the mail server leaves a message of campaign %s unanswered", campaign_id)
        try:
            queue.release(worker=line.sender.name)
            if line.sender.hangs_too_often():
                reply = f"no answer for {STUCK_SECONDS:.0f} s ({line.session.phase})"
                hold_campaign(campaign_id=campaign_id, kind="silent", reply=reply, probe=line.sender.probing)
        except LOST:
            logger.warning("could not give back the block of a hanging connection; its lease will", exc_info=True)
            connection.close()
        if time.monotonic() < self._until:
            self._begin(singles_first=line.singles_first)

    def _keep_leases(self) -> None:
        """Renew the leases for as long as a line lives, so that a slow mail server is not taken for a dead worker."""
        try:
            while not self._over.wait(queue.LEASE_SECONDS / 4):
                try:
                    queue.renew(worker_prefix=self._process)
                    advance()
                except Exception:
                    logger.warning("could not renew the leases of %s", self._process, exc_info=True)
                    connection.close()
        finally:
            connection.close()
