"""Put an entry into the journal, through a table, so that neither it nor the change it is about is there alone.

A file cannot take part in a transaction. So the entry is written into the database with the change, and from there into
the file: at once after the commit, and every half minute for what a killed process left.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from cdp.common.journal.identity import journal_folder, place_of, this_installation
from cdp.common.models import Installation, JournalEntry

logger = logging.getLogger(__name__)
_BATCH = 5_000


def note(kind: str, bodies: Sequence[Mapping[str, Any]]) -> None:
    """Journal what this transaction does; `kind` is one of registry.journal_kinds, bodies hold digests only."""
    if not bodies:
        return
    at = timezone.now().isoformat()
    JournalEntry.objects.bulk_create(
        [JournalEntry(body={**body, "kind": kind, "id": uuid.uuid4().hex, "at": at}) for body in bodies],
        batch_size=_BATCH,
    )
    transaction.on_commit(_flush_quietly)


def _flush_quietly() -> None:
    try:
        flush()
    except (OSError, DatabaseError):
        # It stays in the table, and health shows its age.
        logger.exception("the journal could not be written; it is tried again")
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def flush() -> int:
    """Move what waits in the table into the file; return how many entries. Leaves it to whoever is at it already."""
    folder, moved = journal_folder(), 0
    with folder.locked(wait=False) as mine:
        while mine:
            with transaction.atomic():
                row = Installation.objects.select_for_update().filter(pk=1).first() or this_installation()
                if place_of(row) != folder.end():
                    return moved  # entries that this database does not know: they are applied first
                waiting = list(JournalEntry.objects.order_by("pk")[:_BATCH])
                if not waiting:
                    return moved
                end = folder.append(entry.body for entry in waiting)
                JournalEntry.objects.filter(pk__in=[entry.pk for entry in waiting]).delete()
                row.journal_generation, row.journal_offset = end.generation, end.offset
                row.save(update_fields=["journal_generation", "journal_offset"])
                moved += len(waiting)
    return moved
