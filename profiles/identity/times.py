"""When something happened: devices have wrong clocks, and say when they sent, so that we can see how wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

#: beyond this difference between sending and receiving a clock is not skewed but absurd: it is not corrected
MAX_SKEW = timedelta(days=1)
#: up to this difference it is the way over the network: correcting by it would reorder what one client did, and move
#: what is backfilled at midnight to the day before
MIN_SKEW = timedelta(seconds=5)
MAX_FUTURE = timedelta(days=1)
EARLIEST_YEAR = 1971


def parse_time(value: Any) -> datetime | None:
    """Return an aware UTC time of ISO 8601 text or of epoch seconds or milliseconds; None when it is neither."""
    try:
        if type(value) is str:
            moment = datetime.fromisoformat(value if len(value) < 40 else value[:40])
            if moment.tzinfo is None:
                return moment.replace(tzinfo=UTC)
            return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
        if type(value) in (int, float):
            return datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def original_time(original: Any, stated: Any) -> tuple[Any, bool]:
    """Return (the time that counts, whether a device's clock says so).

    `originalTimestamp` is when an SDK took the call; a `timestamp` that differs from it is the sender's own word.
    """
    if original is None or stated is None:
        return (stated if original is None else original), True
    own, taken = parse_time(stated), parse_time(original)
    return (original, True) if own is None or own == taken else (stated, False)


def occurred(original: Any, sent: Any, received: datetime) -> tuple[datetime, str]:
    """Return (when it happened, warning or "").

    timestamp = received - (sent - original) when both are given and the clock is wrong, but not absurdly; a time more
    than a day ahead, before 1971 or unreadable becomes the time of receipt.
    """
    if original is None:
        return received, ""
    moment = parse_time(original)
    if moment is None:
        return received, "unreadable_timestamp"
    sent_at = parse_time(sent) if sent is not None else None
    if sent_at is not None:
        skew = received - sent_at
        if MIN_SKEW < abs(skew) <= MAX_SKEW:
            try:
                moment = moment + skew
            except OverflowError:
                return received, "unreadable_timestamp"
    if moment - received > MAX_FUTURE:
        return received, "future_timestamp"
    if moment.year < EARLIEST_YEAR:
        return received, "ancient_timestamp"
    return moment, ""
