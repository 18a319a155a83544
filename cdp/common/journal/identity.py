"""Which database this is, and how far it is: asked before anything is sent."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F

from cdp.common.journal.folder import JournalFolder, Place
from cdp.common.models import Installation

#: why a database counts as restored
OTHER_SERVER, SET_BACK, NO_MARKER = "other_server", "set_back", "no_marker"


def journal_folder() -> JournalFolder:
    """Return the folder that the settings name."""
    return JournalFolder(settings.JOURNAL_DIR)


def identity() -> dict[str, str]:
    """Return what tells this database from a copy of it: server, database, and the server's line of history."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid::text, datname FROM pg_database WHERE datname = current_database()")
        found["oid"], found["name"] = cursor.fetchone()
    # Some hosted servers keep these two from ordinary roles; the number that grows must do there.
    for key, query in (
        ("system", "SELECT system_identifier::text FROM pg_control_system()"),
        ("timeline", "SELECT timeline_id::text FROM pg_control_checkpoint()"),
    ):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(query)
                found[key] = cursor.fetchone()[0]
        except DatabaseError:
            found[key] = ""
    return found


def this_installation() -> Installation:
    """Return the row that says which database this was when it last looked."""
    return Installation.objects.get_or_create(pk=1)[0]


def signs_of_restore(row: Installation, marker: dict[str, Any] | None, now: dict[str, str]) -> list[str]:
    """Return what says that this database is not the one that last worked here; empty when it is. Pure."""
    if not row.identity:
        return []  # a new database, perhaps beside the journal of a former one
    signs = []
    known = [given for given in (row.identity, (marker or {}).get("identity")) if given]
    if any(given != now for given in known):
        signs.append(OTHER_SERVER)
    if marker is None:
        signs.append(NO_MARKER)
    elif int(marker["position"]) > row.position:
        signs.append(SET_BACK)
    return signs


def place_of(row: Installation) -> Place:
    """Return how far of the journal the database knows."""
    return Place(row.journal_generation, row.journal_offset)


def advance() -> None:
    """Move the number on that tells a database that was set back. Called while mail is sent: at the beginning of each
    drain and every few seconds of it, so that what is sent after a backup is never older than the backup's number."""
    Installation.objects.filter(pk=1).update(position=F("position") + 1)
    row = this_installation()
    folder = journal_folder()
    with folder.locked():
        marker = folder.marker() or {}
        position = max(row.position, int(marker.get("position", 0)))
        folder.write_marker({"position": position, "identity": row.identity})
