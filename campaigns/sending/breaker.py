"""The circuit breaker: when refusals are no longer about single people but about us or the mail server."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from campaigns.sending.verdicts import IN_A_ROW, TOO_MANY, WINDOW


@dataclass
class Breaker:
    """What the mail server lately said to one campaign, over all connections of this process.

    It trips at IN_A_ROW messages in a row that were not taken, for whatever reason, and when more than a twentieth of
    the last WINDOW were refused for good (at least TOO_MANY of them: one of three says nothing).
    """

    in_a_row: int = 0
    lately: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))  # True: refused for good
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def taken(self) -> None:
        """Note a message that the server took."""
        with self._lock:
            self.in_a_row = 0
            self.lately.append(False)

    def refused(self) -> bool:
        """Note a refusal for good; tell whether it is one too many."""
        with self._lock:
            self.lately.append(True)
            refusals = sum(self.lately)
            return self._one_more(refusals >= TOO_MANY and refusals * 20 > len(self.lately))

    def put_off(self) -> bool:
        """Note a message that is to come back later; tell whether it is one too many."""
        with self._lock:
            return self._one_more(False)

    def _one_more(self, tripped: bool) -> bool:
        self.in_a_row += 1
        if tripped or self.in_a_row >= IN_A_ROW:
            # After a person has looked and resumed, the count begins anew.
            self.in_a_row = 0
            self.lately.clear()
            return True
        return False


class Breakers:
    """The breakers of a drain, one a campaign: a bad campaign stops no other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_campaign: dict[int, Breaker] = {}

    def of(self, campaign_id: int) -> Breaker:
        """Return a campaign's breaker."""
        with self._lock:
            return self._by_campaign.setdefault(campaign_id, Breaker())
