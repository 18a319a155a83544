"""One connection to the mail server, working through claimed blocks."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings

from campaigns.rendering.problems import RenderFailure
from campaigns.sending import queue
from campaigns.sending.breaker import Breakers
from campaigns.sending.compose import Job, Mail, compose
from campaigns.sending.queue import Mark, Person, SendOutcome
from campaigns.sending.verdicts import POLICY_STREAK, Verdict, backoff_seconds, judge
from campaigns.services.trouble import hold_campaign, pause_for_trouble, suppress_bounced, working_again
from campaigns.smtp import SendResult, SmtpSession
from consent import gate
from consent.policy.addresses import keyed_digest
from consent.policy.decisions import Decision

logger = logging.getLogger(__name__)

BLOCK = 100
#: a permission asked longer ago than this is asked again before the next message
FRESH_SECONDS = 0.5


@dataclass
class Sender:
    """The state of one connection: what it saw of the server lately."""

    name: str
    session: SmtpSession
    breakers: Breakers = field(default_factory=Breakers)
    policy_streak: int = 0
    troubled: bool = False

    def work(self, job: Job) -> int:
        """Claim one block of a campaign and send it; return how many rows were claimed."""
        claimed = queue.claim(campaign_id=job.campaign_id, worker=self.name, limit=BLOCK)
        if claimed:
            try:
                self._send_block(job, dict(claimed))
            finally:
                queue.release(campaign_id=job.campaign_id, worker=self.name)
        return len(claimed)

    def _send_block(self, job: Job, attempts: dict[int, int]) -> None:
        outcome: SendOutcome | None = None
        try:
            for person, decision, mail in self._permitted(job, sorted(attempts)):
                mark = Mark(
                    person.profile_id,
                    decision.record_id,
                    decision.basis,
                    decision.version_id,
                    keyed_digest(settings.SUPPRESSION_KEY, "email", decision.address),
                    mail.context,
                )
                last, outcome = outcome, None
                if not queue.step(campaign_id=job.campaign_id, worker=self.name, outcome=last, mark=mark):
                    return  # paused, cancelled or taken over
                result = self.session.send(job.envelope_from, mail.to, mail.content)
                outcome, go_on = self._outcome(
                    job, person.profile_id, attempts[person.profile_id] + 1, result, decision
                )
                if not go_on:
                    return
        finally:
            if outcome is not None:
                queue.step(campaign_id=job.campaign_id, worker=self.name, outcome=outcome, mark=None)

    def _permitted(self, job: Job, profile_ids: list[int]) -> Iterator[tuple[Person, Decision, Mail]]:
        """Yield those who may have the mail, asking the gate anew whenever the last answer is no longer fresh."""
        position = 0
        while position < len(profile_ids):
            asked = time.monotonic()
            rest = profile_ids[position:]
            decisions = gate.check(profile_ids=rest, purpose_id=job.purpose_id, channel=job.channel)
            people = queue.load_people(campaign_id=job.campaign_id, profile_ids=rest)
            skips = self._refused(job, rest, decisions, people)
            queue.write_skips(campaign_id=job.campaign_id, worker=self.name, skips=skips)
            refused = {profile_id for profile_id, _reason, _record in skips}
            unfit: list[tuple[int, str, int | None]] = []
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
                    )
                except RenderFailure as failure:
                    unfit.append((profile_id, failure.reason, decision.record_id))
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
            else:
                digest = keyed_digest(settings.SUPPRESSION_KEY, "email", decision.address)
                if digests.setdefault(digest, profile_id) != profile_id:
                    skips.append((profile_id, "duplicate_address", decision.record_id))
        if digests:
            taken = queue.addresses_taken(
                campaign_id=job.campaign_id, digests=list(digests), profile_ids=list(digests.values())
            )
            skips.extend(
                (digests[digest], "duplicate_address", decisions[digests[digest]].record_id) for digest in taken
            )
        return skips

    def _outcome(
        self, job: Job, profile_id: int, attempts: int, result: SendResult, decision: Decision
    ) -> tuple[SendOutcome, bool]:
        """Return what to write down and whether to go on with the block."""
        verdict = judge(result, attempts)
        if verdict.action == "sent":
            self.policy_streak = 0
            self.breakers.of(job.campaign_id).taken()
            if self.troubled:
                working_again(campaign_id=job.campaign_id)
                self.troubled = False
            return SendOutcome(profile_id, "sent", attempts, code=result.code, reply=result.reply), True
        if verdict.action == "unknown":
            return SendOutcome(profile_id, "unknown", attempts, verdict.reason, result.code, result.reply), True
        if verdict.action == "failed":
            return self._failed(job, profile_id, attempts, result, verdict, decision.address)
        return self._not_now(job, profile_id, attempts, result, verdict)

    def _failed(
        self, job: Job, profile_id: int, attempts: int, result: SendResult, verdict: Verdict, address: str
    ) -> tuple[SendOutcome, bool]:
        if verdict.suppress:
            suppress_bounced(address=address, campaign_id=job.campaign_id)
        go_on = not self.breakers.of(job.campaign_id).refused()
        if not go_on:
            pause_for_trouble(campaign_id=job.campaign_id, kind="refusals", reply=result.reply)
        return SendOutcome(profile_id, "failed", attempts, verdict.reason, result.code, result.reply), go_on

    def _not_now(
        self, job: Job, profile_id: int, attempts: int, result: SendResult, verdict: Verdict
    ) -> tuple[SendOutcome, bool]:
        """Put the message back; hold or pause the campaign when the trouble is the server's or ours."""
        if verdict.action == "retry":
            outcome = self._again(profile_id, attempts, result, backoff_seconds(attempts))
            go_on = not self.breakers.of(job.campaign_id).put_off()
            if not go_on:
                pause_for_trouble(campaign_id=job.campaign_id, kind="put_off", reply=result.reply)
            return outcome, go_on
        if verdict.action == "policy":
            self.policy_streak += 1
            outcome = self._again(profile_id, attempts, result, backoff_seconds(attempts + 1))
            if self.policy_streak < POLICY_STREAK:
                return outcome, True
            self.policy_streak = 0
            pause_for_trouble(campaign_id=job.campaign_id, kind="policy", reply=result.reply)
            return outcome, False
        self.troubled = True
        if verdict.action == "stop":
            pause_for_trouble(campaign_id=job.campaign_id, kind="login", reply=result.reply)
        else:
            hold_campaign(campaign_id=job.campaign_id, reply=result.reply)
        # The server never took this message up: it does not count as an attempt.
        return self._again(profile_id, attempts - 1, result, 0.0), False

    @staticmethod
    def _again(profile_id: int, attempts: int, result: SendResult, wait: float) -> SendOutcome:
        return SendOutcome(profile_id, "pending", attempts, "", result.code, result.reply, wait)
