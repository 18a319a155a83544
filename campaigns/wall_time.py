"""A time on the clock of a place, turned into a moment, with what a change of clocks does said aloud. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FORMAT = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class Moment:
    """`utc` is when it happens; `shown` what clocks there will say then; `note` names a gap or overlap."""

    utc: datetime
    shown: datetime
    note: Literal["", "gap", "overlap"]


def resolve(local: str, zone_name: str) -> Moment:
    """Return the moment of `2026-11-27T09:00` in a zone; raise ValueError for no time or no zone.

    A time that a spring night skips moves on by the gap (02:30 becomes 03:30); one that an autumn night has twice means
    the first. Both are PEP 495's fold=0.
    """
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("unknown time zone") from None
    wanted = datetime.strptime(local, FORMAT)  # noqa: DTZ007 - a wall time, whose zone is given beside it
    try:
        first = wanted.replace(tzinfo=zone, fold=0)
        utc = first.astimezone(UTC)
        shown = utc.astimezone(zone)
        second = wanted.replace(tzinfo=zone, fold=1).astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None
    note: Literal["", "gap", "overlap"] = ""
    if shown.replace(tzinfo=None, fold=0) != wanted:
        note = "gap"
    elif second != utc:
        note = "overlap"
    return Moment(utc=utc, shown=shown, note=note)
