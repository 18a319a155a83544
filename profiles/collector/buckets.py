"""A token bucket per key, so that a leaked key cannot drown the others."""

from __future__ import annotations

import math


class Buckets:
    """Hold one bucket per source: `rate` events a second, with a burst of two seconds' worth."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.burst = rate * 2
        self._state: dict[int, tuple[float, float]] = {}  # source id -> (tokens, at)

    def take(self, source_id: int, events: int, now: float) -> int:
        """Take tokens for `events`; return 0, or the whole seconds after which it is worth trying again.

        A request larger than the burst passes when the bucket is full: a limit may delay, never lock out.
        """
        if not self.rate:
            return 0
        tokens, at = self._state.get(source_id, (self.burst, now))
        tokens = min(self.burst, tokens + (now - at) * self.rate)
        needed = min(events, self.burst)
        if tokens < needed:
            self._state[source_id] = (tokens, now)
            return max(1, math.ceil((needed - tokens) / self.rate))
        self._state[source_id] = (tokens - needed, now)
        return 0
