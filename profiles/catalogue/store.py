"""Add observations to the catalogue.

Each write is a short transaction of its own, after the one that stored the values: the rows of frequent traits are hot,
and no block of events may wait for another's. A process that dies in between loses some counts; names that it lost
come back with the next value, and at night (`recount`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import msgspec
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from cdp.common.arrays import numbers, texts
from cdp.common.masking import is_id_like, is_personal, mask_text
from profiles.catalogue.observe import EVENT, Key, Observed, Tally
from profiles.models import CatalogueEntry

logger = logging.getLogger(__name__)

#: seconds between two writes of a process that works on; what is new is written at once
WRITE_SECONDS = 2.0
#: names kept, so that nobody who may only write can fill the database with them
MAX_EVENTS = 1_000
MAX_TRAITS = 1_000
MAX_PROPERTIES = 300
KEPT_VALUES = 50
MAX_SOURCES = 20
MAX_KNOWN = 50_000


def new_tally() -> Tally:
    """Return an empty tally that keeps no values which tell who somebody is."""
    return Tally(lambda path: not is_personal(path) and not is_id_like(path))


class Recorder:
    """Write tallies once what they observed is committed: at once, or gathered while a drain works."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending = new_tally()
        self._known: set[Key] = set()
        self._gathering = 0
        self._written = 0.0

    def record(self, tally: Tally) -> None:
        """Take a tally; it is written when the current transaction has committed, and dropped when it does not."""
        if tally:
            # A catalogue that cannot be written may not fail what was stored.
            transaction.on_commit(lambda: self._take(tally), robust=True)

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Write only every few seconds meanwhile, and when something new is named; the rest at the end."""
        with self._lock:
            self._gathering += 1
        try:
            yield
        finally:
            with self._lock:
                self._gathering -= 1
            self.flush()

    def _take(self, tally: Tally) -> None:
        with self._lock:
            is_new = not self._known.issuperset(tally.entries)
            self._pending.add(tally)
            waits = self._gathering and not is_new and time.monotonic() - self._written < WRITE_SECONDS
        if not waits:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        with self._lock:
            tally, self._pending = self._pending, new_tally()
            self._written = time.monotonic()
            self._known.update(tally.entries)
            if len(self._known) > MAX_KNOWN:  # what does not fit the catalogue is "new" for ever
                self._known.clear()
        try:
            write(tally)
        except DatabaseError:
            logger.exception("the catalogue could not be written; what is missing comes back at night")


recorder = Recorder()


@transaction.atomic
def write(tally: Tally) -> None:
    """Add a tally to the catalogue. Rows are locked in one order, so that two writers cannot deadlock."""
    if not tally:
        return
    entries = dict(tally.entries)
    now = timezone.now()
    for trait in tally.people:
        entries.setdefault(Key("trait", "", trait), Observed(now, now))
    _insert_missing(entries)
    for row in lock_entries(entries):
        _merge(row, entries[Key(row.scope, row.event, row.path)], tally.people)
        row.save(
            update_fields=["types", "count", "people", "top_values", "source_ids", "first_seen_at", "last_seen_at"]
        )


def _insert_missing(entries: Mapping[Key, Observed]) -> None:
    known = _existing(entries)
    missing = sorted(_with_room(key for key in entries if key not in known))
    if missing:
        CatalogueEntry.objects.bulk_create(
            [CatalogueEntry(scope=key.scope, event=key.event, path=key.path) for key in missing], ignore_conflicts=True
        )


def _existing(entries: Iterable[Key]) -> set[Key]:
    keys = list(entries)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.scope, c.event, c.path FROM unnest(%s::text[], %s::text[], %s::text[]) AS k(scope, event, path)"
            " JOIN profiles_catalogueentry c USING (scope, event, path)",
            [texts(key.scope for key in keys), texts(key.event for key in keys), texts(key.path for key in keys)],
        )
        return {Key(*row) for row in cursor.fetchall()}


def _with_room(keys: Iterable[Key]) -> Iterable[Key]:
    """Yield the keys that the catalogue still has room for."""
    rooms: dict[tuple[str, str], int] = {}
    for key in keys:
        shelf = (key.scope, key.event if key.scope == "property" else "")
        if shelf not in rooms:
            most = {"trait": MAX_TRAITS, EVENT: MAX_EVENTS}.get(key.scope, MAX_PROPERTIES)
            rows = CatalogueEntry.objects.filter(scope=key.scope)
            if key.scope == "property":
                rows = rows.filter(event=key.event)
            rooms[shelf] = most - rows.count()  # bounded by `most`
        if rooms[shelf] > 0:
            rooms[shelf] -= 1
            yield key


def lock_entries(entries: Iterable[Key]) -> list[CatalogueEntry]:
    """Return the entries that there are of these, locked in one order until the end of the transaction."""
    keys = sorted(entries)
    return list(
        CatalogueEntry.objects.raw(
            "SELECT c.* FROM profiles_catalogueentry c JOIN unnest(%s::text[], %s::text[], %s::text[])"
            " AS k(scope, event, path) USING (scope, event, path) ORDER BY c.id FOR UPDATE OF c",
            [texts(key.scope for key in keys), texts(key.event for key in keys), texts(key.path for key in keys)],
        )
    )


def _merge(row: CatalogueEntry, seen: Observed, people: Counter[str]) -> None:
    row.types = dict(Counter(row.types) + seen.types)
    row.count += seen.count
    if seen.count:
        row.first_seen_at = min(row.first_seen_at or seen.first, seen.first)
        row.last_seen_at = max(row.last_seen_at or seen.last, seen.last)
    row.source_ids = sorted({*row.source_ids, *seen.sources})[:MAX_SOURCES]
    if row.scope == "trait":
        row.people = max(0, row.people + people[row.path])
    if seen.values and row.pii != "personal":
        counted = Counter(row.top_values) + Counter(
            {value: times for value, times in seen.values.items() if mask_text(value) == value}
        )
        row.top_values = dict(counted.most_common(KEPT_VALUES))


# What is gone ------------------------------------------------------------------------------------------------------
def forget_values(values: Iterable[str]) -> int:
    """Remove these values (of an erased person) from the frequent ones, and all that were seen only once or twice.

    A value that few had may be about one of them, and nobody can tell about whom.
    """
    gone = {value.casefold() for value in values}
    changed = 0
    for row in CatalogueEntry.objects.exclude(top_values={}).order_by("id").select_for_update().iterator():
        kept = {value: times for value, times in row.top_values.items() if times > 2 and value.casefold() not in gone}
        if kept != row.top_values:
            row.top_values = kept
            row.save(update_fields=["top_values"])
            changed += 1
    return changed


_PEOPLE = (
    "SELECT key, count(*) FROM profiles_profile p CROSS JOIN LATERAL jsonb_object_keys(p.traits) AS key "
    "WHERE p.merged_into_id IS NULL AND p.erased_at IS NULL GROUP BY key ORDER BY key"
)
_LATEST = (
    "SELECT n.event, i.properties::text, i.occurred_at, i.source_id FROM unnest(%s::text[]) AS n(event), LATERAL ("
    "SELECT properties, occurred_at, source_id FROM profiles_interaction WHERE name = n.event "
    "ORDER BY occurred_at DESC LIMIT 20) AS i"
)


def recount(*, now: datetime | None = None) -> int:
    """Count anew how many people have each trait, and find what a lost write left out; return the traits counted.

    One pass over all people, at night.
    """
    now = now or timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '900s', true)")
        cursor.execute(_PEOPLE)
        counted: dict[str, int] = dict(cursor.fetchall())
    tally = new_tally()
    known = CatalogueEntry.objects.traits().types_of(counted.keys())
    for name in counted.keys() - known.keys():
        _observe_sample(tally, name, now)
    write(tally)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE profiles_catalogueentry c SET people = coalesce(n.people, 0) FROM profiles_catalogueentry o"
            " LEFT JOIN unnest(%s::text[], %s::bigint[]) AS n(path, people) ON n.path = o.path"
            " WHERE c.id = o.id AND o.scope = 'trait' AND strpos(o.path, '[]') = 0"
            " AND c.people IS DISTINCT FROM coalesce(n.people, 0)",
            [texts(counted), numbers(counted.values())],
        )
    _observe_unknown_events()
    return len(counted)


def _observe_sample(tally: Tally, name: str, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (traits -> %s)::text FROM profiles_profile WHERE traits ? %s AND merged_into_id IS NULL"
            " AND erased_at IS NULL LIMIT 20",
            [name, name],
        )
        for (text,) in cursor.fetchall():
            tally.trait(name, None, msgspec.json.decode(text), at=now, source_id=None)
    tally.people.pop(name, None)  # counted exactly by the caller


def _observe_unknown_events() -> None:
    """Find events that interactions have and the catalogue has not, by hopping along the index from name to name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE names AS ((SELECT name, 1 AS n FROM profiles_interaction ORDER BY name LIMIT 1) UNION ALL "
            "SELECT (SELECT i.name FROM profiles_interaction i WHERE i.name > s.name ORDER BY i.name LIMIT 1), s.n + 1 "
            f"FROM names s WHERE s.name IS NOT NULL AND s.n < {MAX_EVENTS}) "
            "SELECT name FROM names WHERE name <> '' AND NOT EXISTS (SELECT 1 FROM profiles_catalogueentry c"
            " WHERE c.scope = 'event' AND c.event = names.name)"
        )
        names = [name for (name,) in cursor.fetchall()]
        if not names:
            return
        tally = new_tally()
        cursor.execute(_LATEST, [texts(names)])
        for event, text, at, source_id in cursor.fetchall():
            tally.event(event, msgspec.json.decode(text), at=at, source_id=source_id)
    write(tally)
