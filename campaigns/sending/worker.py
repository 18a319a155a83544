"""One connection to the mail server, working through claimed blocks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from campaigns.rendering.problems import RenderFailure
from campaigns.sending import queue
from campaigns.sending.breaker import Breakers
from campaigns.sending.compose import Job, Mail, compose
from campaigns.sending.isolation import put_off
from campaigns.sending.lasting import until_written
from campaigns.sending.queue import Claimed, Mark, Person, SendOutcome, Skip
from campaigns.sending.sent_log import SentLog
from campaigns.sending.verdicts import POLICY_STREAK, Verdict, backoff_seconds, judge
from campaigns.services.trouble import hold_campaign, pause_for_trouble, suppress_bounced, working_again
from campaigns.smtp import SendResult, SmtpSession
from cdp.common.faults import Fault, describe_error, fault_of
from cdp.common.stopping import stop_requested
from consent import gate
from consent.policy.decisions import Decision
from profiles.keyring import key_ring

logger = logging.getLogger(__name__)

BLOCK = 100
#: single sends are few and urgent: a block of them is shared among the connections
SINGLES_BLOCK = 10
#: a permission asked longer ago than this is asked again before the next message
FRESH_SECONDS = 0.5


Effect = Callable[[], object]


@dataclass(frozen=True)
class Ruling:
    """What follows from a result: the outcome to write, whether the block goes on, and what is done besides."""

    outcome: SendOutcome
    go_on: bool = True
    effects: tuple[Effect, ...] = ()


@dataclass
class Sender:
    """The state of one connection: what it saw of the server lately."""

    name: str
    session: SmtpSession
    breakers: Breakers = field(default_factory=Breakers)
    policy_streak: int = 0
    #: the campaign at work, read by the thread that watches over the connections
    campaign_id: int = 0
    probing: bool = False
    #: the watching thread has noted that the message at work hangs
    stuck: bool = False
    #: the server has enough connections: this one ends, the others go on
    surplus: bool = False
    #: when the block at work is given back, to look for what must not wait
    block_ends: float = float("inf")

    def hangs_too_often(self) -> bool:
        """Note that the message at work hangs; tell whether the campaign must wait. A message tried alone decides."""
        return self.breakers.of(self.campaign_id).hung(self.session.began_at) or self.probing

    def work(self, job: Job, *, probe: bool = False, seconds: float = float("inf")) -> int:
        """Claim one block of a campaign and send it; return how many rows were claimed.

        `probe`: the campaign was in trouble. One message shows whether the server is back. After `seconds` the rest of
        the block is given back.
        """
        self.block_ends = time.monotonic() + seconds
        self.campaign_id, self.probing = job.campaign_id, probe
        limit = 1 if probe else SINGLES_BLOCK if job.single else BLOCK
        claimed = queue.claim(campaign_id=job.campaign_id, worker=self.name, limit=limit)
        if claimed:
            try:
                self._send_block(job, {row.profile_id: row for row in claimed})
            finally:
                until_written(lambda: queue.release(worker=self.name))
        return len(claimed)

    def _send_block(self, job: Job, claimed: dict[int, Claimed]) -> None:
        outcome: SendOutcome | None = None
        log = SentLog(job.campaign_uuid)
        try:
            for person, decision, mail in self._permitted(job, claimed):
                row = claimed[person.profile_id]
                mark = Mark(
                    person.profile_id,
                    decision.record_id,
                    decision.basis,
                    decision.version_id,
                    key_ring().digest("email", decision.address),
                    mail.context,
                    row.occurrence,
                    job.version_id,
                )
                if stop_requested.is_set() or (outcome is not None and time.monotonic() > self.block_ends):
                    return
                last, outcome = outcome, None
                if not self._step(job, last, mark):
                    return  # paused, cancelled or taken over
                log.begun(person.uuid, row.occurrence)
                result = self.session.send(job.envelope_from, mail.to, mail.content)
                if result.outcome in ("deferred", "refused"):
                    log.not_taken(person.uuid, row.occurrence)
                ruling = self._ruling(job, row, result, decision)
                outcome = ruling.outcome
                for effect in ruling.effects:
                    until_written(effect)
                if self.probing and ruling.go_on:  # it answered, be it with a no
                    self.probing = False
                    until_written(lambda: working_again(campaign_id=job.campaign_id))
                if not ruling.go_on:
                    return
        finally:
            log.close()
            if outcome is not None:
                self._step(job, outcome, None)

    def _step(self, job: Job, outcome: SendOutcome | None, mark: Mark | None) -> bool:
        return until_written(
            lambda: queue.step(campaign_id=job.campaign_id, worker=self.name, outcome=outcome, mark=mark)
        )

    def _permitted(self, job: Job, claimed: dict[int, Claimed]) -> Iterator[tuple[Person, Decision, Mail]]:
        """Yield those who may have the mail, asking the gate anew whenever the last answer is no longer fresh."""
        profile_ids = sorted(claimed)
        occurrences = {profile_id: row.occurrence for profile_id, row in claimed.items()}
        position = 0
        while position < len(profile_ids):
            asked = time.monotonic()
            rest = profile_ids[position:]
            decisions = gate.check(profile_ids=rest, purpose_id=job.purpose_id, channel=job.channel)
            people = queue.load_people(campaign_id=job.campaign_id, occurrences={key: occurrences[key] for key in rest})
            skips = [
                Skip(profile_id, reason, record, occurrences[profile_id])
                for profile_id, reason, record in self._refused(job, rest, decisions, people)
            ]
            queue.write_skips(campaign_id=job.campaign_id, worker=self.name, skips=skips)
            refused = {row.profile_id for row in skips}
            unfit: list[Skip] = []
            for profile_id in rest:
                if time.monotonic() - asked > FRESH_SECONDS and profile_id != rest[0]:
                    break
                position += 1
                if profile_id in refused:
                    continue
                person, decision = people[profile_id], decisions[profile_id]
                try:
                    mail = compose(
                        job,
                        profile_id=profile_id,
                        address=decision.address,
                        traits=person.traits,
                        message_key=str(person.delivery_uuid),
                        data=person.data,
                    )
                except RenderFailure as failure:
                    unfit.append(Skip(profile_id, failure.reason, decision.record_id, occurrences[profile_id]))
                    continue
                except Exception as error:
                    if fault_of(error) is Fault.SERVER:
                        raise
                    logger.warning("campaign %s: no message for one person: %s", job.campaign_id, describe_error(error))
                    put_off(
                        campaign_id=job.campaign_id,
                        worker=self.name,
                        profile_id=profile_id,
                        error=error,
                        occurrence=occurrences[profile_id],
                    )
                    continue
                yield person, decision, mail
            queue.write_skips(campaign_id=job.campaign_id, worker=self.name, skips=unfit)

    def _refused(
        self, job: Job, profile_ids: list[int], decisions: dict[int, Decision], people: dict[int, Person]
    ) -> list[tuple[int, str, int | None]]:
        """Return who of the block may not have the mail: by the gate, gone, or at somebody else's address."""
        skips: list[tuple[int, str, int | None]] = []
        digests: dict[str, int] = {}
        for profile_id in profile_ids:
            decision = decisions.get(profile_id) or Decision(False, "erased")
            if not decision.allowed:
                skips.append((profile_id, decision.reason, decision.record_id))
            elif profile_id not in people:
                skips.append((profile_id, "erased", decision.record_id))
            elif not job.single:  # there, one address may get as many as are asked for
                own = key_ring().digests("email", decision.address)
                if digests.setdefault(own[0], profile_id) != profile_id:
                    skips.append((profile_id, "duplicate_address", decision.record_id))
                else:
                    digests.update(dict.fromkeys(own, profile_id))
        if digests:
            taken = queue.addresses_taken(
                campaign_id=job.campaign_id, digests=list(digests), profile_ids=sorted(set(digests.values()))
            )
            for profile_id in {digests[digest] for digest in taken}:
                skips.append((profile_id, "duplicate_address", decisions[profile_id].record_id))
        return skips

    def _ruling(self, job: Job, row: Claimed, result: SendResult, decision: Decision) -> Ruling:
        """Return what to write down, what else follows, and whether to go on with the block. Touches no database:
        the result is in safe hands before anything else can fail."""
        attempts = row.attempts + 1
        verdict = judge(result, attempts)
        noted, self.stuck = self.stuck, False
        campaign_id = job.campaign_id
        outcome = SendOutcome(
            row.profile_id,
            verdict.action,
            attempts,
            verdict.reason,
            result.code,
            result.reply,
            occurrence=row.occurrence,
        )
        if verdict.action == "sent":
            self.policy_streak = 0
            ends = self.breakers.taken(campaign_id)
            return Ruling(outcome, effects=(partial(working_again, campaign_id=campaign_id),) if ends else ())
        # One hung message is counted once: by the watching thread while it hangs, or here.
        if verdict.hung and not noted and self.hangs_too_often():
            hold = partial(self._hold, result, "silent")
            return Ruling(self._kept(outcome, verdict, attempts), go_on=False, effects=(hold,))
        if verdict.action == "failed":
            effects: tuple[Effect, ...] = ()
            if verdict.suppress:
                effects = (partial(suppress_bounced, address=decision.address, campaign_id=campaign_id),)
            return self._counted(
                job, Ruling(outcome, effects=effects), self.breakers.of(campaign_id).refused(), "refusals"
            )
        if verdict.action == "retry":
            again = Ruling(self._kept(outcome, verdict, attempts))
            return self._counted(job, again, self.breakers.of(campaign_id).put_off(), "put_off")
        if verdict.action == "policy":
            self.policy_streak = (self.policy_streak + 1) % POLICY_STREAK
            again = Ruling(self._kept(outcome, verdict, attempts))
            return self._counted(job, again, self.policy_streak == 0, "policy")
        if verdict.action == "unknown":
            return Ruling(outcome, go_on=not noted)
        return self._server_trouble(outcome, verdict, result, campaign_id)

    def _hold(self, result: SendResult, kind: str) -> None:
        hold_campaign(campaign_id=self.campaign_id, kind=kind, reply=result.reply, probe=self.probing)

    @staticmethod
    def _kept(outcome: SendOutcome, verdict: Verdict, attempts: int) -> SendOutcome:
        """Return the outcome of a message that is tried again later; as it is when it is final."""
        if verdict.action not in ("retry", "policy"):
            return outcome
        wait = backoff_seconds(attempts + (verdict.action == "policy"))
        return replace(outcome, outcome="pending", reason="", wait_seconds=wait)

    @staticmethod
    def _counted(job: Job, ruling: Ruling, tripped: bool, kind: str) -> Ruling:
        """Return the ruling, with a pause of the campaign when it was one too many."""
        if not tripped:
            return ruling
        pause = partial(pause_for_trouble, campaign_id=job.campaign_id, kind=kind, reply=ruling.outcome.reply)
        return replace(ruling, go_on=False, effects=(*ruling.effects, pause))

    def _server_trouble(self, outcome: SendOutcome, verdict: Verdict, result: SendResult, campaign_id: int) -> Ruling:
        """Put the message back as it was: the server never took it up, so it does not count as an attempt."""
        back = replace(outcome, outcome="pending", reason="", attempts=outcome.attempts - 1)
        if verdict.action == "stop":
            pause = partial(pause_for_trouble, campaign_id=campaign_id, kind="login", reply=result.reply)
            return Ruling(back, go_on=False, effects=(pause,))
        if result.opening and self.breakers.server_at_work():
            self.surplus = True
            return Ruling(back, go_on=False)
        hold = partial(self._hold, result, "unreachable")
        return Ruling(back, go_on=False, effects=(hold,))
