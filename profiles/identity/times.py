"""When something happened: devices have wrong clocks, and say when they sent, so that we can see how wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

#: beyond this difference between sending and receiving a clock is not skewed but absurd: it is not corrected
MAX_SKEW = timedelta(days=1)
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


def occurred(original: Any, sent: Any, received: datetime) -> tuple[datetime, str]:
    """Return (when it happened, warning or "").

    timestamp = received - (sent - original) when both are given and the clock is not absurd; a time more than a day
    ahead, before 1971 or unreadable becomes the time of receipt.
    """
    if original is None:
        return received, ""
    moment = parse_time(original)
    if moment is None:
        return received, "unreadable_timestamp"
    sent_at = parse_time(sent) if sent is not None else None
    if sent_at is not None:
        skew = received - sent_at
        if -MAX_SKEW <= skew <= MAX_SKEW:
            try:
                moment = moment + skew
            except OverflowError:
                return received, "unreadable_timestamp"
    if moment - received > MAX_FUTURE:
        return received, "future_timestamp"
    if moment.year < EARLIEST_YEAR:
        return received, "ancient_timestamp"
    return moment, ""
