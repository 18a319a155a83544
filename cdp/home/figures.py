"""The figures of the home page: each is cheap over a million people and ten million interactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from django.core.cache import cache
from django.db.models import Count as CountOf
from django.db.models import Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from cdp.common.counting import (
    COUNT_CAP,
    Count,
    capped_count,
    estimated_count,
    index_count,
)
from profiles.models import InboxEntry, Interaction, Profile, SourceCounter

DAYS = 30
#: figures that read many rows are kept this long
KEEP_SECONDS = 60
T = TypeVar("T")


@dataclass(frozen=True)
class Pulse:
    """How the collection keeps up."""

    per_second: float
    oldest_seconds: float | None  # age of the oldest message that waits; None when nothing waits

    @property
    def keeps_up(self) -> bool:
        """Tell whether what came in is processed within seconds."""
        return self.oldest_seconds is None or self.oldest_seconds < 10


def people() -> Count:
    """Return how many people there are."""

    def count() -> Count:
        rows = Profile.objects.alive()
        few = capped_count(rows)
        if few <= COUNT_CAP:
            return Count(few)
        return Count(max(few, index_count("profile_alive_seen_idx") or 0), about=True)

    return _kept("people", count)


def active_people() -> Count:
    """Return how many people were seen in the last 30 days."""
    rows = Profile.objects.alive().seen_within(DAYS)
    return _kept("active", lambda: estimated_count(rows))


def new_people_by_day() -> list[int]:
    """Return people by the day they were first seen, as a running total; empty when that would read too many rows."""
    return _kept("people_line", _people_line)


def _people_line() -> list[int]:
    total = people()
    if total.about:
        return []
    rows = Profile.objects.alive().filter(first_seen_at__gte=_days()[0])
    new = _by_day(rows.annotate(day=TruncDate("first_seen_at")).values("day").annotate(n=CountOf("pk")))
    running = total.value - sum(new)
    line = []
    for count in new:
        running += count
        line.append(running)
    return line


def active_by_day() -> list[int]:
    """Return how many people did something on each day; empty when that would read too many rows."""
    return _kept("active_line", _active_line)


def _active_line() -> list[int]:
    if people().about:
        return []
    rows = Interaction.objects.filter(occurred_at__gte=_days()[0]).order_by()
    if rows[: 10 * COUNT_CAP + 1].values("id").count() > 10 * COUNT_CAP:
        return []
    counted = rows.annotate(day=TruncDate("occurred_at")).values("day").annotate(n=CountOf("profile_id", distinct=True))
    return _by_day(counted)


def events_today() -> int:
    """Return the messages received since midnight in the reader's zone."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return SourceCounter.objects.filter(hour__gte=midnight).aggregate(n=Sum("received"))["n"] or 0


def events_by_day() -> list[int]:
    """Return the messages received on each of the last 30 days."""
    rows = SourceCounter.objects.filter(hour__gte=_days()[0]).annotate(day=TruncDate("hour"))
    return _by_day(rows.values("day").annotate(n=Sum("received")))


def pulse() -> Pulse:
    """Return events per second over the last whole hour and the running one, and the age of what waits."""
    now = timezone.now()
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    received = SourceCounter.objects.filter(hour__gte=begin).aggregate(n=Sum("received"))["n"] or 0
    oldest = InboxEntry.objects.order_by("raw_id").values_list("received_at", flat=True).first()
    age = max(0.0, (now - oldest).total_seconds()) if oldest else None
    return Pulse(per_second=received / max(1.0, (now - begin).total_seconds()), oldest_seconds=age)


def _days() -> list[datetime]:
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]


def _by_day(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    counted: dict[date, int] = {row["day"]: row["n"] for row in rows}
    return [counted.get(day.date(), 0) for day in _days()]


def _kept(name: str, make: Callable[[], T]) -> T:
    key = f"home.{name}.{timezone.get_current_timezone_name()}"  # days begin where the reader is
    value: T | None = cache.get(key)
    if value is None:
        value = make()
        cache.set(key, value, KEEP_SECONDS)
    return value
