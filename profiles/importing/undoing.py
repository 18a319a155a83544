"""Undo an import: give people back what they had, and remove those whom only the import knew.

First what registered targets wrote (permissions) is taken back, in steps of their own; then the rows. Nothing is
taken back that somebody changed since: a value said later by another source stays, and a person with
anything of their own (an event, another identifier, a fact that a higher app vouches for) stays. Blocks go from the
last line to the first, so a worker that dies leaves a shorter import behind, to be undone further.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from cdp.common.faults import persist
from cdp.common.queue_items import Claim
from profiles.changes import Change, announce, kept_people
from profiles.identity.traits import slot_of, winners
from profiles.importing.jobs import renew
from profiles.importing.people import (
    COPY_CHANGES,
    Person,
    copy_rows,
    json_text,
    load_people,
    save_assertions,
    save_people,
)
from profiles.importing.targets import undoers
from profiles.models import Import, ImportRow
from profiles.services.removal import remove_people

BLOCK = 2_000


@dataclass(slots=True)
class UndoRow:
    """A row that the import wrote."""

    line: int
    outcome: str
    profile_id: int
    identifiers: list[tuple[str, str]]
    changes: dict[str, list[Any]]


_LAST_ROWS = """
SELECT line, outcome, profile_id, (data -> 'i')::text, changes::text FROM profiles_importrow
WHERE import_id = %s AND line <= %s AND outcome IN ('created', 'updated')
  AND profile_id IS NOT NULL AND data IS NOT NULL
ORDER BY line DESC LIMIT %s
"""
_TOUCHED = """
SELECT p.id FROM profiles_profile p
WHERE p.id = ANY(%s) AND (
    p.merged_into_id IS NOT NULL OR p.restricted_at IS NOT NULL OR p.erased_at IS NOT NULL
    OR EXISTS (SELECT 1 FROM jsonb_each(p.origins) o WHERE o.value ->> 'c' IS DISTINCT FROM %s)
    OR EXISTS (SELECT 1 FROM profiles_interaction e WHERE e.profile_id = p.id)
    OR EXISTS (SELECT 1 FROM profiles_profile m WHERE m.merged_into_id = p.id)
)
"""


def last_rows(import_id: int, upto: int) -> list[UndoRow]:
    """Return the last rows that were written, from the end."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_ROWS, [import_id, upto, BLOCK])
        return [
            UndoRow(
                line,
                outcome,
                profile_id,
                [(kind, value) for kind, value in msgspec.json.decode(identifiers)],
                msgspec.json.decode(changes) if changes else {},
            )
            for line, outcome, profile_id, identifiers, changes in cursor.fetchall()
        ]


def undone_so_far(job: Import) -> dict[str, Any]:
    """Return what the undo counted: people by what became of them, `facts` of registered targets, `places` of those."""
    empty: dict[str, Any] = {"removed": 0, "restored": 0, "kept": 0, "facts": {}, "places": {}}
    return empty | copy.deepcopy(job.counts.get("undone") or {})


def undo_facts(job: Import, claim: Claim) -> bool:
    """Take back the next of what registered targets wrote; return whether there was anything left to do."""
    return _step(job, lambda: _undo_facts(job, claim))


def undo_block(job: Import, claim: Claim) -> bool:
    """Take the last block of rows back; return whether there was anything left to do."""
    return _step(job, lambda: _undo_block(job, claim))


def _step(job: Import, work: Callable[[], bool]) -> bool:
    """Do one step in a transaction of its own; the job is as it was before when that fails."""
    before = (job.done_line, job.rows_done, copy.deepcopy(job.counts))

    def attempt() -> bool:
        job.done_line, job.rows_done, job.counts = *before[:2], copy.deepcopy(before[2])
        with transaction.atomic():
            return work()

    try:
        return persist(attempt)
    except BaseException:
        job.done_line, job.rows_done, job.counts = before
        raise


def _undo_facts(job: Import, claim: Claim) -> bool:
    done = undone_so_far(job)
    places: dict[str, int | None] = done["places"]
    name, undoer = next(((name, item) for name, item in undoers.items() if places.get(name, 0) is not None), ("", None))
    if undoer is None:
        return False
    step = undoer.undo(job.pk, job.confirmed_by, places.get(name) or 0, BLOCK)
    places[name] = step.next
    for word, count in step.counts.items():
        done["facts"][word] = done["facts"].get(word, 0) + count
    done["restored"] += len(step.people - _people_of_rows(job.pk, step.people))
    renew(job, claim, progress=True, counts={**job.counts, "undone": done})
    return True


def _people_of_rows(import_id: int, profile_ids: set[int]) -> set[int]:
    """Return those whom a row created or updated: they are counted with their row."""
    rows = ImportRow.objects.filter(import_id=import_id, profile_id__in=profile_ids)
    found = rows.filter(outcome__in=("created", "updated")).values_list("profile_id", flat=True)
    return {profile_id for profile_id in found if profile_id is not None}


def _undo_block(job: Import, claim: Claim) -> bool:
    rows = last_rows(job.pk, job.done_line)
    if not rows:
        return False
    done = undone_so_far(job)
    counts = {**job.counts, "undone": done}
    people = load_people(row.profile_id for row in rows)
    created = [row for row in rows if row.outcome == "created" and row.profile_id in people]
    kept = _touched_since(created, people, f"import:{job.pk}")
    gone = {row.profile_id for row in created} - kept
    restored = _restore([row for row in rows if row.outcome == "updated" and row.profile_id in people], people, job)
    if gone:
        remove_people(gone)
    done["removed"] += len(gone)
    done["kept"] += len(kept)
    done["restored"] += len(restored)
    if gone | restored | kept:
        announce(Change(profile_ids=gone | restored | kept, cause="undo"))
    done_rows = job.rows_done + len(rows)
    renew(job, claim, progress=True, done_line=rows[-1].line - 1, rows_done=done_rows, counts=counts)
    return True


def _touched_since(created: Sequence[UndoRow], people: dict[int, Person], cause: str) -> set[int]:
    """Return those whom somebody else touched since they were created, so that they stay."""
    ids = [row.profile_id for row in created]
    if not ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_TOUCHED, [ids, cause])
        touched = {row[0] for row in cursor.fetchall()}
    for row in created:
        if {(item.kind, item.value) for item in people[row.profile_id].identifiers} != set(row.identifiers):
            touched.add(row.profile_id)
    return touched | kept_people(sorted(set(ids) - touched), cause)


def _restore(rows: Sequence[UndoRow], people: dict[int, Person], job: Import) -> set[int]:
    """Put back what was said before, where the import's word still stands; return whom that changed."""
    cause, now = f"import:{job.pk}", timezone.now()
    slot = slot_of(job.source_id or 0, trusted=True, import_id=job.pk)
    changed: dict[int, Person] = {}
    matches = {}
    history = []
    for row in rows:
        person = people[row.profile_id]
        match = next((item for item in person.identifiers if (item.kind, item.value) == row.identifiers[0]), None)
        if match is None:
            continue
        before = person.traits
        for slots in match.assertions.values():
            slots.pop(slot, None)
        match.assertions = {name: slots for name, slots in match.assertions.items() if slots}
        _drop_identifiers([kind[3:] for kind in row.changes if kind.startswith("id:")], row, person)
        person.traits, person.origins = winners((item.assertions, True) for item in person.identifiers)
        history += [
            (
                person.id,
                name,
                _text(before.get(name)),
                _text(person.traits.get(name)),
                job.source_id,
                now,
                f"undo:{cause}",
            )
            for name in sorted(before.keys() | person.traits.keys())
            if before.get(name) != person.traits.get(name)
        ]
        changed[person.id] = person
        matches[match.id] = match
    save_assertions(matches.values())
    save_people(changed.values())
    if history:
        copy_rows(COPY_CHANGES, history)
    return set(changed)


def _text(value: Any) -> str | None:
    return None if value is None else json_text(value)


def _drop_identifiers(kinds: Sequence[str], row: UndoRow, person: Person) -> None:
    """Remove identifiers that the row added, unless something hangs on them by now."""
    added = [
        item for item in person.identifiers if item.kind in kinds and (item.kind, item.value) in row.identifiers[1:]
    ]
    free = [item for item in added if not item.assertions]
    if not free:
        return
    ids = [item.id for item in free]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT identifier_id FROM profiles_interaction WHERE profile_id = %s AND identifier_id = ANY(%s)",
            [person.id, ids],
        )
        used = {found[0] for found in cursor.fetchall()}
        unused = [number for number in ids if number not in used]
        _delete_identifiers(unused)
    person.identifiers = [item for item in person.identifiers if item.id not in unused]


def _delete_identifiers(ids: Sequence[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM profiles_identitylink WHERE low_id = ANY(%s) OR high_id = ANY(%s)", [list(ids), list(ids)]
        )
        cursor.execute("DELETE FROM profiles_identifier WHERE id = ANY(%s)", [list(ids)])
