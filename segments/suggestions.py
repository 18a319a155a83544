"""What to offer while a rule is built: traits, values, events and properties that were seen, most frequent first.

Each is a look at a sample or at an index, never a pass over the base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache import cache
from django.db import OperationalError, connection, transaction

from segments.rules.operators import DATE, LIST, NUMBER, OTHER, TEXT, YES_NO

Kept = TypeVar("Kept")

#: people, or interactions, looked at
SAMPLE = 2_000
SHOWN = 30
MAX_EVENTS = 300
SECONDS = 30

_TYPE = (
    "CASE jsonb_typeof(value) WHEN 'number' THEN '" + NUMBER + "' WHEN 'boolean' THEN '" + YES_NO + "' "
    "WHEN 'array' THEN '" + LIST + "' WHEN 'object' THEN '" + OTHER + "' WHEN 'string' THEN "
    "CASE WHEN value #>> '{}' ~ '^[0-9]{4}-[01][0-9]-[0-3][0-9]([T ]|$)' THEN '" + DATE + "' "
    "ELSE '" + TEXT + "' END END"
)
_KEYS = (
    "SELECT key, t, sum(n) OVER (PARTITION BY key) AS total, n FROM (SELECT key, " + _TYPE + " AS t, count(*) AS n "
    "FROM ({rows}) r, jsonb_each(r.object) WHERE jsonb_typeof(value) <> 'null' GROUP BY 1, 2) c "
    "ORDER BY total DESC, key, n DESC LIMIT 400"
)
_PEOPLE = (
    "SELECT traits AS object FROM profiles_profile WHERE merged_into_id IS NULL AND erased_at IS NULL "
    f"ORDER BY last_seen_at DESC, id DESC LIMIT {SAMPLE}"
)
_HAPPENINGS = (
    "SELECT properties AS object FROM profiles_interaction WHERE name = %(event)s "
    f"ORDER BY occurred_at DESC LIMIT {SAMPLE}"
)
_VALUES = (
    "SELECT r.object ->> %(key)s AS v, count(*) FROM ({rows}) r "
    "WHERE jsonb_typeof(r.object -> %(key)s) IN ('string', 'number', 'boolean') "
    "AND length(r.object ->> %(key)s) <= 100 "
    f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {SHOWN}"
)
_EVENTS = (
    "WITH RECURSIVE names AS ("
    "(SELECT name, 1 AS n FROM profiles_interaction ORDER BY name LIMIT 1) UNION ALL "
    "SELECT (SELECT i.name FROM profiles_interaction i WHERE i.name > s.name ORDER BY i.name LIMIT 1), s.n + 1 "
    f"FROM names s WHERE s.name IS NOT NULL AND s.n < {MAX_EVENTS}) "
    "SELECT name FROM names WHERE name IS NOT NULL"
)


def event_names() -> list[str]:
    """Return the names of events, by hopping along the index from name to name."""
    return _kept("events", lambda: [row[0] for row in _rows(_EVENTS, {})])


def keys(event: str = "") -> dict[str, str]:
    """Return traits (or properties of an event) with the type most often seen, most frequent first."""
    return _kept(f"keys:{event}", lambda: _keys(event))


def _keys(event: str) -> dict[str, str]:
    found: dict[str, str] = {}
    sql = _KEYS.replace("{rows}", _HAPPENINGS if event else _PEOPLE)
    for key, kind, _total, _count in _rows(sql, {"event": event}):
        found.setdefault(key, kind)
    return found


def values(key: str, event: str = "") -> list[str]:
    """Return the values of a trait (or property) that were seen, most frequent first."""
    if not key:
        return []
    sql = _VALUES.replace("{rows}", _HAPPENINGS if event else _PEOPLE)
    return _kept(f"values:{event}:{key}", lambda: [row[0] for row in _rows(sql, {"event": event, "key": key})])


def type_of(event: str, key: str) -> str:
    """Return the type most often seen; empty when unknown."""
    return keys(event).get(key, "") if key else ""


def _rows(sql: str, params: dict[str, Any]) -> list[Any]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '3s', true)")
            cursor.execute(sql, params)
            return list(cursor.fetchall())
    except OperationalError:
        return []  # suggestions are a comfort: a busy server may leave them out


def _kept(name: str, make: Callable[[], Kept]) -> Kept:
    key = "segments:" + name.encode().hex()[:200]
    found: Kept | None = cache.get(key)
    if found is None:
        found = make()
        cache.set(key, found, SECONDS)
    return found
