"""What is kept for how long: every app registers its classes of data here, the engine in `cdp.retention` runs them.

A class that has a period removes what is past it, one bounded batch at a time. What has no period stands among the
kept data, with the reason. A test walks every table and every folder and fails when one is in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from cdp.common.faults import bounded
from cdp.common.models import RetentionPeriod
from cdp.common.registry import Registry

#: rows past their time are counted no further than this
COUNT_CAP = 10_000
#: more than any batch should take
BATCH_SECONDS = 20.0

Position = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One batch: the rows removed, and where the next begins; `position` is None when nothing is left."""

    removed: int
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What is past its time (counted up to COUNT_CAP + 1), and the oldest that is there at all."""

    waiting: int
    oldest: datetime | None


@dataclass(frozen=True, kw_only=True)
class DataClass:
    """Data with a period.

    `holds` names tables, and folders below VAR_DIR as `var:name`. `remove(before, limit, position)` removes at most
    `limit` rows, inside the caller's transaction, going on where `position` (a former Step's, {} at first) says.
    """

    group: str  # one of GROUPS
    label: Any
    what: Any  # in plain words, for the page
    remains: Any  # what is left when it is gone
    holds: tuple[str, ...]
    default_days: int | None  # None: kept until somebody sets a period; only where `may_keep`
    minimum_days: int
    maximum_days: int = 3650
    may_keep: bool = False
    at_most: str = ""  # never longer than this other class, without which it cannot be used
    own_periods: str = ""  # the periods are set elsewhere, one per item: the name of that page's address
    atomic: bool = True  # a batch is one transaction, with the note of how far it came; False: it opens its own
    remove: Callable[[datetime, int, Position], Step]
    survey: Callable[[datetime], Survey]
    batch: int = 2_000


@dataclass(frozen=True, kw_only=True)
class KeptData:
    """Data without a period, and why it has none."""

    group: str
    label: Any
    why: Any
    holds: tuple[str, ...]


#: in the order of the page
GROUPS = ("customers", "privacy", "segments", "campaigns", "system")

retention: Registry[DataClass] = Registry("class of data with a period")
kept_data: Registry[KeptData] = Registry("class of data that is kept")


def period_of(name: str) -> int | None:
    """Return the days that a class is kept: as somebody set it, or the default; None is without end."""
    chosen = RetentionPeriod.objects.filter(name=name).values_list("days", flat=True)
    return chosen[0] if chosen else retention.get(name).default_days


@dataclass(frozen=True, kw_only=True)
class AgedRows:
    """The plain case: rows of a table, each with its time.

    `by_key` walks the rows in the order of their key instead of their time, where that is the order in which they were
    written and the time has no index of its own.
    """

    table: str
    time: str
    key: str = "id"
    where: str = "true"
    by_key: bool = False

    def remove(self, before: datetime, limit: int, _position: Position) -> Step:
        """Delete the oldest rows past their time."""
        with connection.cursor() as cursor:
            rows = self._oldest()
            cursor.execute(f"DELETE FROM {self.table} WHERE {self.key} IN ({rows})", self._bounds(before, limit))
            removed = int(cursor.rowcount)
        return Step(removed, {} if removed == limit else None)

    def survey(self, before: datetime) -> Survey:
        """Count what is past its time, and find the oldest row."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({self._oldest()}) AS old", self._bounds(before, COUNT_CAP + 1))
            waiting = int(cursor.fetchone()[0])
            order = self.key if self.by_key else self.time
            time = f"({self.time})::timestamptz"  # some tables keep days
            cursor.execute(f"SELECT {time} FROM {self.table} WHERE {self.where} ORDER BY {order} LIMIT 1")
            row = cursor.fetchone()
        return Survey(waiting, row[0] if row else None)

    def _oldest(self) -> str:
        if self.by_key:
            return (
                f"SELECT {self.key} FROM (SELECT {self.key}, {self.time} FROM {self.table} WHERE {self.where}"
                f" ORDER BY {self.key} LIMIT %s) AS head WHERE {self.time} < %s"
            )
        return (
            f"SELECT {self.key} FROM {self.table} WHERE {self.time} < %s AND {self.where} ORDER BY {self.time} LIMIT %s"
        )

    def _bounds(self, before: datetime, limit: int) -> list[Any]:
        return [limit, before] if self.by_key else [before, limit]


@contextmanager
def batch_transaction() -> Iterator[None]:
    """Open the transaction of one batch, bounded: the engine tries one that takes longer again with fewer rows."""
    with transaction.atomic(), bounded(BATCH_SECONDS):
        yield


@dataclass(frozen=True)
class Several:
    """Rows of more than one table, under one period."""

    parts: tuple[AgedRows, ...]

    def remove(self, before: datetime, limit: int, position: Position) -> Step:
        """Remove from the first table that has any."""
        for part in self.parts:
            step = part.remove(before, limit, position)
            if step.removed:
                return Step(step.removed, {})
        return Step(0)

    def survey(self, before: datetime) -> Survey:
        """Add the tables up."""
        found = [part.survey(before) for part in self.parts]
        oldest = [item.oldest for item in found if item.oldest is not None]
        return Survey(sum(item.waiting for item in found), min(oldest, default=None))
