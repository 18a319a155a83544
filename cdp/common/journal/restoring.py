"""Take a database that was put back from a backup into service again: nothing is sent, nobody comes back."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.utils import timezone

from cdp.common.journal.folder import Entry, JournalFolder
from cdp.common.journal.identity import identity, journal_folder, place_of, signs_of_restore, this_installation
from cdp.common.models import Installation
from cdp.common.registry import journal_kinds, restore_handlers

logger = logging.getLogger(__name__)
_BATCH = 5_000
_LOCK = 0x4A4F55524E  # of the advisory lock under which one process does it


def may_work() -> bool:
    """Tell whether this database is the one that worked here last, putting a restored one in order first.

    Asked before anything is sent. False while another process is putting it in order; raises when it cannot be done,
    for a database that has forgotten who withdrew must not send.
    """
    row, folder = this_installation(), journal_folder()
    if row.identity and place_of(row) == folder.end() and not signs_of_restore(row, folder.marker(), identity()):
        return True
    with folder.locked(), _alone() as mine:
        return mine and _put_in_order(folder)


def _put_in_order(folder: JournalFolder) -> bool:
    row, now, marker = this_installation(), identity(), folder.marker()
    signs = signs_of_restore(row, marker, now)
    report: dict[str, Any] = {}
    if signs:
        logger.error("this database was restored or copied (%s): campaigns are paused", ", ".join(signs))
        for handler in restore_handlers:
            handler.halt()
    if place_of(row) != folder.end():
        report["applied"] = _apply(folder, row)
    if signs:
        for name, handler in restore_handlers.items():
            report[name] = handler.settle()
        row.restored_at = timezone.now()
        row.restored = {"signs": signs, **report}
    end = folder.end()
    row.journal_generation, row.journal_offset = end.generation, end.offset
    row.identity = now
    row.position = max(row.position, int((marker or {}).get("position", 0))) + bool(signs)
    row.save()
    folder.write_marker({"position": row.position, "identity": now})
    return True


def _apply(folder: JournalFolder, row: Installation) -> dict[str, int]:
    """Apply the entries that this database does not know, in order; return how many changed something, by kind.

    Every kind takes an entry twice without harm: after a crash the journal may hold what the database knows.
    """
    changed: dict[str, int] = defaultdict(int)
    for kind, entries in _runs(folder.read(place_of(row))):
        changed[kind] += journal_kinds.get(kind)(entries)
    return dict(changed)


def _runs(entries: Iterator[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """Yield runs of entries of one kind, in order."""
    kind = ""
    run: list[Entry] = []
    for entry in entries:
        if run and (entry.get("kind") != kind or len(run) >= _BATCH):
            yield kind, run
            run = []
        kind = str(entry.get("kind"))
        run.append(entry)
    if run:
        yield kind, run


@contextmanager
def _alone() -> Iterator[bool]:
    """Be the only one among all machines; on one machine, or a shared folder, the folder's lock has seen to that."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
