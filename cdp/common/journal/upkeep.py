"""Keep the journal small and watched."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.journal.folder import Entry, JournalFolder, Place
from cdp.common.journal.identity import journal_folder, place_of
from cdp.common.models import Installation, JournalEntry
from cdp.common.registry import journal_kinds

#: below this size nothing is gained
COMPACT_BYTES = 1_000_000
_STUCK = timedelta(minutes=5)
_SHOWN = timedelta(days=30)


def compact(*, least: int = COMPACT_BYTES) -> bool:
    """Leave out what a later entry replaces, and what is older than any backup that is kept; tell whether it was done.

    A database that is restored afterwards applies the whole journal again, which does no harm.
    """
    folder = journal_folder()
    with folder.locked(wait=False) as mine:
        if not mine or folder.end().offset < least:
            return False
        with transaction.atomic():
            row = Installation.objects.select_for_update().filter(pk=1).first()
            if row is None or place_of(row) != folder.end():
                return False
            end = folder.replace(_worth_keeping(folder))
            row.journal_generation, row.journal_offset = end.generation, end.offset
            row.save(update_fields=["journal_generation", "journal_offset"])
        folder.forget_older()
    return True


def _worth_keeping(folder: JournalFolder) -> list[Entry]:
    horizon = timezone.now() - timedelta(days=settings.BACKUP_HORIZON_DAYS)
    last: dict[tuple[str, str], Entry] = {}
    for entry in folder.read(Place(0, 0)):
        if datetime.fromisoformat(str(entry["at"])) >= horizon and str(entry.get("kind")) in journal_kinds.names():
            key = (str(entry["kind"]), str(entry.get("key") or entry["id"]))
            last.pop(key, None)  # at the place of the later one: a suppression may have been lifted in between
            last[key] = entry
    return list(last.values())


def journal_health() -> tuple[bool, str, str]:
    """Return the line of the health page: is the journal written, and was this database restored lately."""
    fix = _("Give the processes the right to write in JOURNAL_DIR (%(folder)s), and free some disk space.") % {
        "folder": settings.JOURNAL_DIR
    }
    oldest = JournalEntry.objects.aggregate(at=Min("at"))["at"]
    if oldest is not None and timezone.now() - oldest > _STUCK:
        return (
            False,
            _("entries have been waiting for the journal since %(at)s") % {"at": f"{oldest:%Y-%m-%d %H:%M}"},
            fix,
        )
    row = Installation.objects.filter(pk=1).first()
    if row is not None and row.restored_at is not None and timezone.now() - row.restored_at < _SHOWN:
        return True, restored_text(row), ""
    return True, _("written to %(folder)s") % {"folder": settings.JOURNAL_DIR}, ""


def restored_text(row: Installation) -> str:
    """Return what was done when this database was found to be restored."""
    assert row.restored_at is not None
    applied = sum(row.restored.get("applied", {}).values())
    paused = sum(int(part.get("paused", 0)) for part in row.restored.values() if isinstance(part, dict))
    return _(
        "this database was restored from a backup or copied (noticed %(at)s): %(paused)s campaigns were paused and "
        "%(applied)s erasures and refusals applied again"
    ) % {"at": f"{row.restored_at:%Y-%m-%d %H:%M}", "paused": paused, "applied": applied}
