"""Take the permissions of an import back: each of its records is invalidated, and what held before holds again."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from cdp.common.arrays import numbers
from consent.policy.states import INVALIDATED
from consent.services.entries import ConsentEntry, actor_label
from consent.services.recording import record_consents
from profiles.importing.targets import Undoer, UndoStep

COUNT_LABELS = {"permissions": _("permissions taken back")}

_SUBJECTS = """
SELECT DISTINCT identifier_id FROM consent_consentrecord
WHERE reference = %s AND identifier_id > %s ORDER BY identifier_id LIMIT %s
"""
_RECORDS = """
SELECT r.id, r.identifier_id, i.profile_id, r.purpose_id, r.channel
FROM consent_consentrecord r JOIN profiles_identifier i ON i.id = r.identifier_id
WHERE r.reference = %s AND r.method = 'import' AND r.identifier_id = ANY(%s::bigint[])
  AND NOT EXISTS (SELECT 1 FROM consent_consentrecord v
                  WHERE v.identifier_id = r.identifier_id AND v.state = 'invalidated' AND v.because_id = r.id)
ORDER BY r.identifier_id, r.id
"""
#: people of whom a lower subject was seen to in an earlier step already
_SEEN = """
SELECT DISTINCT i.profile_id FROM profiles_identifier i
JOIN consent_consentrecord r ON r.identifier_id = i.id AND r.reference = %s
WHERE i.profile_id = ANY(%s::bigint[]) AND i.id <= %s
"""


def undo_permissions(import_id: int, actor: Any, after: int, limit: int) -> UndoStep:
    """Invalidate what the import recorded under the next subjects."""
    reference = f"import:{import_id}"
    subjects = [row[0] for row in _fetch(_SUBJECTS, [reference, after, limit])]
    if not subjects:
        return UndoStep(people=set(), counts={}, next=None)
    records = _fetch(_RECORDS, [reference, numbers(subjects)])
    entries = [
        ConsentEntry(
            profile_id=profile_id,
            identifier_id=subject,
            purpose_id=purpose_id,
            channel=channel,
            state=INVALIDATED,
            method="import_undone",
            actor=actor_label(actor),
            reference=f"import-undo:{import_id}",
            because_id=record_id,
        )
        for record_id, subject, profile_id, purpose_id, channel in records
    ]
    record_consents(entries)
    people = {row[2] for row in records}
    seen = {row[0] for row in _fetch(_SEEN, [reference, numbers(sorted(people)), after])} if people else set()
    return UndoStep(people=people - seen, counts={"permissions": len(entries)}, next=subjects[-1])


def _fetch(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


permissions_undoer = Undoer(undo=undo_permissions, count_labels=COUNT_LABELS)
