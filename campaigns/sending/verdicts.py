"""What an answer of the mail server means for the message and for the campaign. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from campaigns.smtp import SendResult

Action = Literal["sent", "failed", "unknown", "retry", "policy", "hold", "stop"]

#: minutes before the next attempt (RFC 5321, section 4.5.4.1, asks half an hour; greylisting needs five minutes)
BACKOFF_MINUTES = (1, 5, 15, 60, 240)
GIVE_UP_AFTER = 10  # attempts: a little over a day
POLICY_ATTEMPTS = 3
#: refusals by policy in a row, on one connection, after which it is us and not the person
POLICY_STREAK = 10
#: of the last so many messages of a campaign, how many refusals are too many; and how many not taken in a row
WINDOW, TOO_MANY = 500, 25
IN_A_ROW = 20
#: holds in a row after which a campaign waits for a person
HOLDS = 6
HOLD_SECONDS = 5
#: messages in a row that a server left without an answer, after which it is the server and not the message
HANGS = 3
#: a message without an answer for so long keeps its connection to itself; another connection takes over the rest
STUCK_SECONDS = 10.0
#: a server that took a message so lately is at work: if it turns a connection away, it has enough of them
LATELY_SECONDS = 10.0
FIRST_SECONDS = 1.0  # what the first message of a drain may take until it tells that
#: what one message may take by which a campaign in trouble is tried, before somebody else tries
PROBE_SECONDS = 30

ADDRESS_CODES = ("5.1.1", "5.1.10", "5.1.6")


@dataclass(frozen=True)
class Verdict:
    """What follows. `hold`: the server is in trouble, wait; `stop`: our settings are wrong, pause at once.

    `hung` tells that the server left the message without an answer, or hung up when it should have answered.
    """

    action: Action
    reason: str = ""
    suppress: bool = False
    hung: bool = False


def judge(result: SendResult, attempts: int) -> Verdict:
    """Return what follows from a result; `attempts` counts this one."""
    if result.outcome == "sent":
        return Verdict("sent")
    if result.outcome == "unknown":
        return Verdict("unknown", "no_answer" if result.silent else "lost_after_handover", hung=True)
    if result.outcome == "deferred":
        if result.opening or result.code == 421:
            return Verdict("hold")
        if attempts >= GIVE_UP_AFTER:
            return Verdict("failed", "gave_up")
        return Verdict("retry", hung=result.silent)
    if result.opening or result.code in (530, 534, 535, 538):
        return Verdict("stop")
    if result.enhanced.startswith("5.7."):
        return Verdict("failed", "policy_refused") if attempts >= POLICY_ATTEMPTS else Verdict("policy")
    if result.enhanced in ADDRESS_CODES:
        return Verdict("failed", "bad_address", suppress=True)
    return Verdict("failed", "refused")


def backoff_seconds(attempts: int, chance: float | None = None) -> float:
    """Return how long to wait after the n-th attempt: 1, 5, 15, 60 minutes, then 4 hours, give or take a fifth."""
    minutes = BACKOFF_MINUTES[min(max(attempts, 1), len(BACKOFF_MINUTES)) - 1]
    share = random.random() if chance is None else chance  # noqa: S311 - spreads load, guards nothing
    return minutes * 60 * (0.8 + 0.4 * share)
