"""How often a token may ask. A bucket per token and kind of request, in the memory of each web process.

Several web processes count apart: together they let through as many times the rate as there are of them. That guards
the machine, which has a core per process; it is no meter for a bill.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.request import Request

from cdp.common.access import client_ip
from cdp.common.errors import CdpError
from cdp.common.models import ApiToken

#: buckets kept at most; the one not asked for longest goes, and is full again when it comes back
MOST_BUCKETS = 20_000
#: a bucket holds this many seconds of its rate
BURST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Grant:
    """What a bucket answered: whether it was enough, what is left, and in how many seconds it is full or enough."""

    given: bool
    limit: int
    remaining: int
    reset_seconds: int


class Buckets:
    """Token buckets by name; `take` is safe among threads."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._state: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name -> (left, at)
        self._lock = Lock()

    def take(self, name: str, *, rate: float, burst: float, now: float, cost: float = 1.0) -> Grant:
        """Take `cost` from a bucket that fills by `rate` a second up to `burst`; with 0 only look."""
        with self._lock:
            left, at = self._state.pop(name, (burst, now))
            left = min(burst, left + max(0.0, now - at) * rate)
            given = left >= max(cost, 1.0)
            if given:
                left -= cost
            self._state[name] = (left, now)
            while len(self._state) > self._most:
                self._state.popitem(last=False)
        wait = (burst - left) / rate if given else (max(cost, 1.0) - left) / rate
        return Grant(given, int(burst), int(left), max(1, math.ceil(wait)) if not given or left < burst else 0)

    def clear(self) -> None:
        """Fill all buckets."""
        with self._lock:
            self._state.clear()


buckets = Buckets()


def limit_request(request: Request, *, bulk: bool) -> Grant | None:
    """Take one request from its bucket; None when there is no limit; raise CdpError 429 when it is empty."""
    kind = "bulk" if bulk else "reads" if request.method in ("GET", "HEAD", "OPTIONS") else "writes"
    rate = float(settings.API_RATES[kind])
    if not rate:
        return None
    owner = f"token:{request.auth.pk}" if isinstance(request.auth, ApiToken) else f"user:{request.user.pk}"
    grant = buckets.take(f"{kind}:{owner}", rate=rate, burst=max(1.0, rate * BURST_SECONDS), now=time.monotonic())
    if not grant.given:
        raise too_many(grant)
    return grant


def refuse_guessing(request: Any) -> None:
    """Raise CdpError 429 when the address was refused too often lately."""
    if not settings.API_FAILURES_PER_MINUTE:
        return
    grant = _failures(request, cost=0)
    if not grant.given:
        raise too_many(grant)


def note_failure(request: Any) -> None:
    """Count a refused authentication of the address."""
    if settings.API_FAILURES_PER_MINUTE:
        _failures(request, cost=1)


def _failures(request: Any, *, cost: float) -> Grant:
    most = float(settings.API_FAILURES_PER_MINUTE)
    name = f"failed:{client_ip(request) or ''}"
    return buckets.take(name, rate=most / 60, burst=max(1.0, most), now=time.monotonic(), cost=cost)


def too_many(grant: Grant) -> CdpError:
    """Return the refusal of a request that came too early; `detail.retry_after` says in how many seconds it may."""
    return CdpError(
        "too_many_requests",
        _("Too many requests; ask again in %(seconds)s s.") % {"seconds": grant.reset_seconds},
        status=429,
        detail={"retry_after": grant.reset_seconds, "limit": grant.limit},
    )


def headers_of(grant: Grant) -> dict[str, str]:
    """Return what an answer says of its bucket."""
    return {
        "RateLimit-Limit": str(grant.limit),
        "RateLimit-Remaining": str(grant.remaining),
        "RateLimit-Reset": str(grant.reset_seconds),
    }
