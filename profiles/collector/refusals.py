"""Requests that were refused, counted in bounded memory: mostly somebody's SDK that is set up wrong.

Nothing of a request is kept but what names the SDK and its mistake: no body, no address of a client, and of a key that
opens nothing its first characters. Senders choose what they send, so what is kept of it is short, and so are the lists.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from profiles.collector.errors import Refusal
from profiles.collector.keys import BROWSER_PREFIX, SERVER_PREFIX, KnownSource, start_of_key

#: kinds of refusal remembered between two flushes, and rows kept of one code and source; the rest is counted together
MAX_KINDS = 200
MAX_ROWS = 100
MAX_PATH = 120
MAX_AGENT = 120
MAX_ORIGIN = 120
#: the server's own trouble and its limits say nothing of how an SDK is set up
_NOT_COUNTED = frozenset({"rate_limited", "body_too_slow", "body_broken_off"})
_LONGEST_WORD = 24  # a longer part of a path is no word: a key, a token or a person's id

_STORE = """
INSERT INTO profiles_refusedrequest
       (key, source_id, code, path, user_agent, origin, key_start, count, first_at, last_at)
SELECT key, source_id, code, path, user_agent, origin, key_start, count, to_timestamp(first_at), to_timestamp(last_at)
FROM unnest(%(key)s::uuid[], %(source_id)s::bigint[], %(code)s::text[], %(path)s::text[], %(user_agent)s::text[],
            %(origin)s::text[], %(key_start)s::text[], %(count)s::bigint[], %(first_at)s::float8[],
            %(last_at)s::float8[])
     AS new(key, source_id, code, path, user_agent, origin, key_start, count, first_at, last_at)
ORDER BY key
ON CONFLICT (key) DO UPDATE SET count = profiles_refusedrequest.count + excluded.count,
       first_at = least(profiles_refusedrequest.first_at, excluded.first_at),
       last_at = greatest(profiles_refusedrequest.last_at, excluded.last_at)
"""
#: the rarest go first, and among them the oldest: what goes on stays, however many others somebody makes up
_TRIM = """
DELETE FROM profiles_refusedrequest WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY code, source_id ORDER BY count DESC, last_at DESC) AS place
        FROM profiles_refusedrequest WHERE path <> ''
    ) AS ranked WHERE place > %s
) RETURNING source_id, code, count, extract(epoch FROM first_at)::float8, extract(epoch FROM last_at)::float8
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """What is counted as one. An empty path: many others with the same code."""

    source_id: int | None
    code: str
    path: str = ""
    user_agent: str = ""
    origin: str = ""
    key_start: str = ""

    @property
    def key(self) -> str:
        """Return what the row is found by: a digest, as a uuid."""
        parts = (str(self.source_id), self.code, self.path, self.user_agent, self.origin, self.key_start)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@dataclass(slots=True)
class Tally:
    """How often, and between which moments (epoch seconds)."""

    count: int
    first_at: float
    last_at: float

    def add(self, other: Tally) -> None:
        """Count `other` along."""
        self.count += other.count
        self.first_at, self.last_at = min(self.first_at, other.first_at), max(self.last_at, other.last_at)


class Refusals:
    """What was refused since the last flush. Noted on the event loop, flushed by the thread that keeps the sources."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[Refused, Tally] = {}

    def note(self, refusal: Refusal, path: str, headers: Mapping[bytes, bytes], now: float) -> None:
        """Count a refusal that says something about its sender."""
        if refusal.status >= 500 or refusal.code in _NOT_COUNTED:
            return
        refused = Refused(
            refusal.source_id,
            refusal.code,
            shown_path(path),
            _printable(headers.get(b"user-agent", b"").decode("latin-1"), MAX_AGENT),
            _printable(headers.get(b"origin", b"").decode("latin-1"), MAX_ORIGIN),
            refusal.key_start,
        )
        with self._lock:
            _count(self._tallies, refused, Tally(1, now, now))

    def flush(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        """Write the counts and forget them; a count that a broken connection costs is not made up for."""
        with self._lock:
            tallies, self._tallies = self._tallies, {}
        if not tallies:
            return
        with connection.transaction():
            _store(connection, tallies)
            others: dict[Refused, Tally] = {}
            for source_id, code, count, first_at, last_at in _trimmed(connection):
                _count(others, Refused(source_id, code), Tally(count, first_at, last_at))
            if others:
                _store(connection, others)


@contextmanager
def named_in_refusals(source: KnownSource | None) -> Iterator[None]:
    """Let what is refused of a body be counted with the source whose key came before it, if one did."""
    try:
        yield
    except Refusal as refusal:
        if source is not None and refusal.source_id is None and not refusal.key_start:
            refusal.source_id = source.id
        raise


def _count(tallies: dict[Refused, Tally], refused: Refused, tally: Tally) -> None:
    if refused not in tallies and len(tallies) >= MAX_KINDS:
        refused = Refused(refused.source_id, refused.code)
    known = tallies.get(refused)
    if known is None:
        tallies[refused] = tally
    else:
        known.add(tally)


def _store(connection: psycopg.Connection[tuple[object, ...]], tallies: dict[Refused, Tally]) -> None:
    columns = ("key", "source_id", "code", "path", "user_agent", "origin", "key_start")
    values: dict[str, list[object]] = {name: [getattr(refused, name) for refused in tallies] for name in columns}
    values |= {name: [getattr(tally, name) for tally in tallies.values()] for name in Tally.__slots__}
    connection.execute(_STORE, values)


def _trimmed(
    connection: psycopg.Connection[tuple[object, ...]],
) -> list[tuple[int | None, str, int, float, float]]:
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        return cursor.execute(_TRIM, [MAX_ROWS]).fetchall()


def shown_path(path: str) -> str:
    """Return a path that may be kept: what may be a key, a token or a person in it is cut to its first characters."""
    parts = [_shown_part(part) for part in path[: 4 * MAX_PATH].split("/")]
    return _printable("/".join(parts), MAX_PATH) or "/"


def _shown_part(part: str) -> str:
    if part.startswith((BROWSER_PREFIX, SERVER_PREFIX)) or len(part) > _LONGEST_WORD:
        return start_of_key(part)
    return "…" if re.search(r"@|%|\d{6}", part) else part


def _printable(text: str, length: int) -> str:
    return "".join(letter for letter in text[:length] if letter.isprintable())
