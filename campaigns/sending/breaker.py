"""The circuit breaker: when refusals are no longer about single people but about us or the mail server."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

from campaigns.sending.verdicts import FIRST_SECONDS, HANGS, IN_A_ROW, LATELY_SECONDS, TOO_MANY, WINDOW


@dataclass
class Breaker:
    """What the mail server lately said to one campaign, over all connections of this process.

    It trips at IN_A_ROW messages in a row that were not taken, for whatever reason, and when more than a twentieth of
    the last WINDOW were refused for good (at least TOO_MANY of them: one of three says nothing). HANGS messages in a
    row without an answer trip it much earlier: each of them may be lost to "nobody can know".
    """

    in_a_row: int = 0
    hung_in_a_row: int = 0
    held: bool = False
    taken_at: float = float("-inf")
    lately: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))  # True: refused for good
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def taken(self) -> bool:
        """Note a message that the server took; tell whether that ends a wait for the server."""
        with self._lock:
            ends, self.held = self.held, False
            self.in_a_row = self.hung_in_a_row = 0
            self.taken_at = time.monotonic()
            self.lately.append(False)
            return ends

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

    def hung(self, since: float) -> bool:
        """Note a message without an answer since `since` (time.monotonic); tell whether it is one too many.

        When the server took another one meanwhile, it is that message's own trouble.
        """
        with self._lock:
            if self.taken_at > since:
                return False
            self.hung_in_a_row += 1
            self.held = self.held or self.hung_in_a_row >= HANGS
            return self.hung_in_a_row % HANGS == 0

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
        self._taken_at = float("-inf")
        self._first_taken = threading.Event()

    def of(self, campaign_id: int) -> Breaker:
        """Return a campaign's breaker."""
        with self._lock:
            return self._by_campaign.setdefault(campaign_id, Breaker())

    def taken(self, campaign_id: int) -> bool:
        """Note a message that the server took; tell whether that ends the campaign's wait for the server."""
        self._taken_at = time.monotonic()
        self._first_taken.set()
        return self.of(campaign_id).taken()

    def server_at_work(self) -> bool:
        """Tell whether the server took a message on any connection of late; the first is waited for a moment."""
        self._first_taken.wait(FIRST_SECONDS)
        return time.monotonic() - self._taken_at <= LATELY_SECONDS
