"""The sources in memory: a thread keeps them fresh, notes when each was last heard of and what was refused, and
watches the disk.
"""

from __future__ import annotations

import logging
import os
import select
import shutil
import threading
import time
from datetime import UTC, datetime

import psycopg

from profiles.collector.config import CollectorConfig
from profiles.collector.cors import origin_allowed
from profiles.collector.keys import KnownSource
from profiles.collector.link import connect
from profiles.collector.refusals import Refusals

logger = logging.getLogger(__name__)

#: whoever changes a source says so here (see profiles.services.sources)
CHANNEL = "klantbeeld_sources"
REFRESH_SECONDS = 2.0
SHORTEST_PAUSE = 0.1
KEY_MISUSED = "server_key_in_browser"
_SELECT = """
SELECT id, name, kind = 'browser', enabled, allowed_origins, key_digest, previous_key_digest, previous_key_until
FROM profiles_source WHERE key_digest <> ''
"""
_HEARD = """
UPDATE profiles_source SET last_seen_at = greatest(last_seen_at, to_timestamp(%(at)s)),
       warning = CASE WHEN %(misused)s THEN %(warning)s ELSE warning END
WHERE id = %(id)s
"""


class SourceBook(threading.Thread):
    """Know every source by the digest of its key; refreshed on NOTIFY, on demand, and every two seconds."""

    def __init__(self, config: CollectorConfig) -> None:
        super().__init__(name="collector-sources", daemon=True)
        self._config = config
        self._sources: dict[str, tuple[KnownSource, datetime | None]] = {}
        self._named: frozenset[str] = frozenset()
        self._heard: dict[int, float] = {}
        self._misused: set[int] = set()
        self._stopping = False
        self._refreshed = threading.Condition()
        self._generation = 0
        self._bell_out, self._bell_in = os.pipe()
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self.disk_full = False
        self.refusals = Refusals()

    # Called from the event loop ---------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Tell whether the sources were read at least once."""
        return self._generation > 0

    def find(self, digest: str) -> KnownSource | None:
        """Return the source of a key; None when it is unknown or its time of overlap has passed."""
        entry = self._sources.get(digest)
        if entry is None:
            return None
        source, until = entry
        return source if until is None or until > datetime.now(UTC) else None

    def preflight_allowed(self, origin: str) -> bool:
        """Tell whether any source may be called from `origin`: a preflight does not say which key will follow."""
        return any(
            source.enabled and (not source.allowed_origins or origin_allowed(origin, source.allowed_origins))
            for source, _until in list(self._sources.values())
        )

    def names(self, origin: bytes) -> bool:
        """Tell whether the list of a source that is on names `origin`: no source without a list opens this."""
        return bool(origin) and origin_allowed(origin.decode("latin-1"), self._named)

    def note(self, source: KnownSource, now: float, *, from_page: bool) -> None:
        """Note that the source sent something; a secret key that a page sends is a warning on the source's page."""
        self._heard[source.id] = now
        if from_page and not source.browser:
            self._misused.add(source.id)

    def refresh_and_wait(self, timeout: float = 1.0) -> None:
        """Have the sources read once more, and block until they are; call it off the loop."""
        with self._refreshed:
            target = self._generation + 1
            self._ring()
            self._refreshed.wait_for(lambda: self._generation >= target, timeout)

    def stop(self) -> None:
        """End the thread after one last note of who was heard."""
        self._stopping = True
        self._ring()

    def _ring(self) -> None:
        os.write(self._bell_in, b"!")

    # The thread --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Read the sources until told to stop; a database that is away is waited for."""
        while True:
            self._watch_disk()
            try:
                self._write_notes()
                self._read_sources()
                self.refusals.flush(self._connected())
            except Exception as error:  # noqa: BLE001 - without this thread no key is known
                logger.warning("sources could not be read: %s", str(error).strip())
                self._disconnect()
            if self._stopping:
                self._disconnect()
                return
            time.sleep(SHORTEST_PAUSE)
            self._wait()

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        if self._connection is None:
            self._connection = connect(
                self._config.dsn, name="klantbeeld collector sources", statement_ms=5_000, lock_ms=1_000
            )
            self._connection.execute(f"LISTEN {CHANNEL}")
        return self._connection

    def _read_sources(self) -> None:
        sources: dict[str, tuple[KnownSource, datetime | None]] = {}
        with self._connected().cursor(row_factory=psycopg.rows.tuple_row) as cursor:
            cursor.execute(_SELECT)
            for pk, name, browser, enabled, origins, digest, previous, until in cursor:
                source = KnownSource(pk, name, browser, enabled, tuple(origins or ()))
                sources[digest] = (source, None)
                if previous and until:
                    sources.setdefault(previous, (source, until))
        self._sources = sources
        self._named = frozenset(
            rule for source, _ in sources.values() if source.enabled for rule in source.allowed_origins
        )
        with self._refreshed:
            self._generation += 1
            self._refreshed.notify_all()

    def _write_notes(self) -> None:
        heard, self._heard = self._heard, {}
        misused, self._misused = self._misused, set()
        for pk in sorted(heard):
            self._connected().execute(
                _HEARD,
                {
                    "id": pk,
                    "at": heard[pk],
                    "misused": pk in misused,
                    "warning": KEY_MISUSED,
                },
            )

    def _watch_disk(self) -> None:
        folder = self._config.watched_dir
        if folder is None or not self._config.min_free_bytes:
            return
        try:
            full = shutil.disk_usage(folder).free < self._config.min_free_bytes
        except OSError:
            return
        if full != self.disk_full:
            logger.error(
                "the disk of %s is %s",
                folder,
                "full: nothing is accepted" if full else "free again",
            )
        self.disk_full = full

    def _wait(self) -> None:
        watched: list[int] = [self._bell_out]
        if self._connection is not None and not self._connection.closed:
            watched.append(self._connection.fileno())
        ready, _, _ = select.select(watched, [], [], REFRESH_SECONDS)
        if self._bell_out in ready:
            os.read(self._bell_out, 4096)
        if self._connection is not None and self._connection.fileno() in ready:
            try:
                self._connection.pgconn.consume_input()
                while self._connection.pgconn.notifies():
                    pass
            except psycopg.Error:
                self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
