"""Keep the journal small and watched."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.journal.folder import Entry, Place
from cdp.common.journal.identity import journal_folder, place_of
from cdp.common.models import Installation, JournalEntry

#: below this size nothing is gained
COMPACT_BYTES = 1_000_000
_STUCK = timedelta(minutes=5)
_SHOWN = timedelta(days=30)


def compact(*, least: int = COMPACT_BYTES, before: datetime | None = None) -> int:
    """Leave out what a later entry replaces, and what is older than `before`; return how many entries went.

    A database that is restored afterwards applies the whole journal again, which does no harm.
    """
    folder = journal_folder()
    with folder.locked(wait=False) as mine:
        if not mine or folder.end().offset < least:
            return 0
        with transaction.atomic():
            row = Installation.objects.select_for_update().filter(pk=1).first()
            if row is None or place_of(row) != folder.end():
                return 0
            entries = list(folder.read(Place(0, 0)))
            kept = worth_keeping(entries, before)
            if len(kept) == len(entries):
                return 0
            end = folder.replace(kept)
            row.journal_generation, row.journal_offset = end.generation, end.offset
            row.save(update_fields=["journal_generation", "journal_offset"])
        folder.forget_older()
    return len(entries) - len(kept)


def worth_keeping(entries: Iterable[Entry], before: datetime | None) -> list[Entry]:
    """Return the last entry about each thing, unless it is older than `before`. Pure."""
    last: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if before is None or datetime.fromisoformat(str(entry["at"])) >= before:
            key = (str(entry.get("kind")), str(entry.get("key") or entry.get("id")))
            last.pop(key, None)  # at the place of the later one: a suppression may have been lifted in between
            last[key] = entry
    return list(last.values())


def forget(before: datetime) -> int:
    """Remove what is older than any backup that would be put back: entries, and logs of who was mailed."""
    gone = 0
    for file in _logs():
        if _changed(file) < before:
            file.unlink(missing_ok=True)
            gone += 1
    return gone + compact(least=1, before=before)


def oldest() -> datetime | None:
    """Return the time of the oldest that is there."""
    entries = (datetime.fromisoformat(str(entry["at"])) for entry in journal_folder().read(Place(0, 0)))
    times = [*(found for found in [next(entries, None)] if found), *map(_changed, _logs())]
    return min(times, default=None)


def _logs() -> list[Path]:
    return sorted((journal_folder().path / "sent").glob("*.log"))


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


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
