"""How sources, their counters and their rejected messages are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from profiles.models import InboxEntry, LeftOutValue, Source, SourceCounter

COUNTS = ("received", "stored", "duplicate", "conflicting", "rejected", "erased")


@dataclass(frozen=True)
class Counts:
    """Messages of one source: received = stored + duplicate + rejected + erased."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    erased: int = 0


def counts_by_source(*, since: datetime | None = None) -> dict[int, Counts]:
    """Return the counts of every source, in all or since a moment."""
    rows = SourceCounter.objects.all() if since is None else SourceCounter.objects.filter(hour__gte=since)
    sums: Any = rows.values("source_id").annotate(**{f"sum_{name}": Sum(name) for name in COUNTS})
    return {row["source_id"]: Counts(**{name: row[f"sum_{name}"] or 0 for name in COUNTS}) for row in sums}


def counts_of(source: Source, *, since: datetime | None = None) -> Counts:
    """Return the counts of one source."""
    rows = SourceCounter.objects.filter(source=source)
    if since is not None:
        rows = rows.filter(hour__gte=since)
    sums = rows.aggregate(**{f"sum_{name}": Sum(name) for name in COUNTS})
    return Counts(**{name: sums[f"sum_{name}"] or 0 for name in COUNTS})


def left_out_of(source: Source, *, most: int = 50) -> list[LeftOutValue]:
    """Return the fields whose values were left out of a source's messages, the latest first."""
    return list(LeftOutValue.objects.filter(source=source).order_by("-last_at", "field")[:most])


def waiting_of(source: Source, *, cap: int = 10_001) -> int:
    """Return how many requests of a source wait to be processed, counting no further than `cap`."""
    return len(InboxEntry.objects.filter(source_id=source.pk).values_list("raw_id", flat=True)[:cap])


def hourly_received(source: Source, *, hours: int = 48) -> list[int]:
    """Return the messages received in each of the last hours, oldest first."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    rows = dict(
        SourceCounter.objects.filter(source=source, hour__gt=now - timedelta(hours=hours)).values_list(
            "hour", "received"
        )
    )
    return [rows.get(now - timedelta(hours=back), 0) for back in range(hours - 1, -1, -1)]
