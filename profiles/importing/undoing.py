"""Undo an import: afterwards people are as if the file had never come.

First what registered targets wrote (permissions) is taken back, in steps of their own; then the rows. Whatever others
said or did since stays, and so does whoever they know: a value said later by another source, an address that a server
gives too, a person who did something. A person of whom a higher app holds facts (a proof of permission, a message that
was sent), or whose data is restricted, keeps the identifiers and loses the file's values.
Blocks go from the last line to the first, so a worker that dies leaves a shorter import behind, to be undone further.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from cdp.common.arrays import bulk_cursor, flags, moments, numbers, texts
from cdp.common.faults import Race, persist
from cdp.common.queue_items import Claim
from profiles.changes import kept_people
from profiles.identity.normalise import normalise
from profiles.identity.traits import ADDRESS_TRAITS, Assertions
from profiles.importing.jobs import renew
from profiles.importing.people import Provenance
from profiles.importing.targets import undoers
from profiles.models import Import, ImportRow
from profiles.processing.sources import load_rules
from profiles.resolution import people
from profiles.resolution.resolve import Resolved, resolve_again
from profiles.resolution.rows import Pair, find_identifiers, lock_profiles
from profiles.resolution.write import remove_identifiers
from profiles.services.removal import remove_people

BLOCK = 2_000


@dataclass(slots=True)
class UndoRow:
    """A row that the import wrote. `before` is what `profiles.importing.people` noted."""

    line: int
    outcome: str
    profile_id: int
    pairs: list[Pair]
    before: dict[str, Any]

    def new(self) -> list[Pair]:
        """Return the identifiers that the row brought."""
        return [self.pairs[place] for place in self.before.get("new", ())]


@dataclass(slots=True)
class Held:
    """An identifier of somebody whom the import touched, as it is now."""

    id: int
    kind: str
    value: str
    profile_id: int
    trusted_at: datetime | None
    confirmed_at: datetime | None
    assertions: Assertions
    acted: bool = False  # somebody did something under it
    linked: bool = False  # another message than the file's links it
    vouched: bool = False  # another message of a trusted source links it

    def others(self, slot: str) -> set[str]:
        """Return the slots in which others than the import have something to say under it."""
        return {other for slots in self.assertions.values() for other in slots} - {slot}


@dataclass(slots=True)
class _Undoing:
    """A block on its way back."""

    said: Provenance
    held: dict[Pair, Held]
    people: dict[int, list[Held]] = field(default_factory=lambda: defaultdict(list))


_LAST_ROWS = """
SELECT line, outcome, profile_id, (data -> 'i')::text, coalesce(before, '{}')::text FROM profiles_importrow
WHERE import_id = %s AND line <= %s AND outcome IN ('created', 'updated')
  AND profile_id IS NOT NULL AND data IS NOT NULL
ORDER BY line DESC LIMIT %s
"""
#: what others than the import know of an identifier; its own links bear its name as the tie
_HELD = """
SELECT i.id, i.kind, i.value, i.profile_id, i.trusted_at, i.confirmed_at, i.assertions::text,
    EXISTS (SELECT 1 FROM profiles_interaction e WHERE e.profile_id = i.profile_id AND e.identifier_id = i.id),
    coalesce(l.linked, false), coalesce(l.vouched, false)
FROM profiles_identifier i LEFT JOIN LATERAL (
    SELECT bool_or(true) AS linked, bool_or(NOT weak AND NOT manual AND denied_at IS NULL) AS vouched
    FROM (SELECT * FROM profiles_identitylink WHERE low_id = i.id UNION ALL
          SELECT * FROM profiles_identitylink WHERE high_id = i.id) AS all_links
    WHERE tie NOT LIKE %s
) l ON true
WHERE i.profile_id = ANY(%s::bigint[])
"""
_RESTRICTED = """
SELECT id FROM profiles_profile WHERE id = ANY(%s::bigint[]) AND (restricted_at IS NOT NULL OR erased_at IS NOT NULL)
"""
#: people whom the import made and of whom nothing is left: others took their identifiers
_EMPTY = """
SELECT p.id FROM profiles_profile p WHERE p.id = ANY(%s::bigint[]) AND p.merged_into_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM profiles_identifier i WHERE i.profile_id = p.id)
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
                [(kind, value) for kind, value in msgspec.json.decode(pairs)],
                msgspec.json.decode(before),
            )
            for line, outcome, profile_id, pairs, before in cursor.fetchall()
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
    said = Provenance(import_id=job.pk, source_id=job.source_id or 0, at=job.said_at or timezone.now())
    work = _lock(rows, said)
    gone, stay = _sort_out(rows, work)
    changed = _forget_words(rows, work, gone)
    resolved = _take_back([row for row in rows if row.profile_id not in gone | stay], work)
    made = {row.profile_id for row in rows if row.outcome == "created"}
    remove_people(gone | _emptied(made - gone - stay))
    cause = f"undo:{said.cause}"
    people.write(resolved, {}, cause=cause, also=changed | stay | gone, at=timezone.now(), news="undo")
    done = undone_so_far(job)
    done["removed"] += len(gone)
    done["kept"] += len(made - gone)
    done["restored"] += len({row.profile_id for row in rows if row.outcome == "updated"})
    counts = {**job.counts, "undone": done}
    done_rows = job.rows_done + len(rows)
    renew(job, claim, progress=True, done_line=rows[-1].line - 1, rows_done=done_rows, counts=counts)
    return True


def _lock(rows: Sequence[UndoRow], said: Provenance) -> _Undoing:
    """Lock everybody whom these rows touched, and load what hangs on them; raise Race when somebody was faster."""
    pairs = {pair for row in rows for pair in row.pairs}
    before = {row.profile_id for row in find_identifiers(pairs).values()} | {row.profile_id for row in rows}
    lock_profiles(before)
    work = _Undoing(said, {})
    with bulk_cursor() as cursor:
        cursor.execute(_HELD, [f"{said.cause}:%", numbers(sorted(before))])
        for id, kind, value, profile_id, trusted, confirmed, text, acted, linked, vouched in cursor.fetchall():
            said_under = msgspec.json.decode(text)
            item = Held(id, kind, value, profile_id, trusted, confirmed, said_under, acted, linked, vouched)
            work.held[(item.kind, item.value)] = item
            work.people[item.profile_id].append(item)
    now = find_identifiers(pairs)
    if any(row.profile_id not in before for row in now.values()):
        raise Race("an identifier went to another person")
    return work


def _sort_out(rows: Sequence[UndoRow], work: _Undoing) -> tuple[set[int], set[int]]:
    """Return (people whom only the import knew, people who keep their identifiers all the same)."""
    touched = {row.profile_id for row in rows}
    with connection.cursor() as cursor:
        cursor.execute(_RESTRICTED, [numbers(sorted(touched))])
        stay = {id for (id,) in cursor.fetchall()}
    stay |= kept_people(sorted(touched - stay), work.said.cause)
    made = {row.profile_id: row for row in rows if row.outcome == "created"}
    return {id for id, row in made.items() if id not in stay and _is_only_ours(row, work)}, stay


def _is_only_ours(row: UndoRow, work: _Undoing) -> bool:
    own = work.people.get(row.profile_id, [])
    if {(item.kind, item.value) for item in own} != set(row.pairs):
        return False
    return not any(item.acted or item.linked or item.confirmed_at or item.others(work.said.slot) for item in own)


def _forget_words(rows: Sequence[UndoRow], work: _Undoing, gone: Collection[int]) -> set[int]:
    """Take the import's values back; return whom that concerns."""
    subjects = [work.held[row.pairs[0]] for row in rows if row.pairs[0] in work.held and row.profile_id not in gone]
    people.drop_slot(work.said.slot, ids=[item.id for item in subjects])
    for item in subjects:
        for slots in item.assertions.values():
            slots.pop(work.said.slot, None)
    return {item.profile_id for item in subjects}


# Identity ----------------------------------------------------------------------------------------------------------
def _take_back(rows: Sequence[UndoRow], work: _Undoing) -> Resolved:
    """Take back what the rows said of identity: links, trust, and identifiers that nobody else knows."""
    links: dict[tuple[int, int], list[Any] | None] = {}
    trust: dict[int, datetime | None] = {}
    idle: set[int] = set()
    unknown: set[int] = set()
    for row in rows:
        if row.outcome == "created":
            row.before = {"new": [*range(len(row.pairs))], "links": dict.fromkeys(map(str, range(1, len(row.pairs))))}
        _note_row(row, work, links, trust, idle)
        unknown |= {item.id for pair in row.new() if (item := work.held.get(pair)) and _is_unknown(item, work)}
    if not (links or trust or idle or unknown):
        return Resolved({})
    _write_back(links, trust, idle, work.said)
    remove_identifiers(unknown)
    touched = {end for ends in links for end in ends} | trust.keys() | idle
    groups = [
        [item.id for item in members if item.id not in unknown]
        for members in work.people.values()
        if any(item.id in touched | unknown for item in members)
    ]
    return resolve_again([group for group in groups if group], load_rules().kinds, cause="undo")


def _note_row(
    row: UndoRow,
    work: _Undoing,
    links: dict[tuple[int, int], list[Any] | None],
    trust: dict[int, datetime | None],
    idle: set[int],
) -> None:
    subject = work.held.get(row.pairs[0])
    for place, before in row.before.get("links", {}).items():
        other = work.held.get(row.pairs[int(place)])
        if subject is not None and other is not None:
            links[(min(subject.id, other.id), max(subject.id, other.id))] = before
    given: dict[Pair, datetime | None] = dict.fromkeys(row.new())
    for place, moment in row.before.get("trusted", {}).items():
        given[row.pairs[int(place)]] = datetime.fromisoformat(moment) if moment else None
    for pair, earlier in given.items():
        item = work.held.get(pair)
        if item is not None and item.trusted_at == work.said.at and not _is_vouched(item, work):
            trust[item.id] = earlier
    for pair in [row.pairs[place] for place in row.before.get("used", ())] + row.new():
        item = work.held.get(pair)
        if item is not None and not item.acted and not any(item.assertions.values()):
            idle.add(item.id)


def _is_vouched(item: Held, work: _Undoing) -> bool:
    """Tell whether another trusted source than the import gives an identifier too."""
    if item.vouched or item.confirmed_at or any(slot[0] == "t" for slot in item.others(work.said.slot)):
        return True
    if item.kind not in ADDRESS_TRAITS:
        return False
    said = (
        normalise(item.kind, word["v"])
        for other in work.people[item.profile_id]
        for slot, word in other.assertions.get(item.kind, {}).items()
        if slot[0] == "t" and slot != work.said.slot
    )
    return item.value in said


def _is_unknown(item: Held, work: _Undoing) -> bool:
    """Tell whether nobody but the import knows of an identifier."""
    return not (item.acted or item.linked or any(item.assertions.values()) or _is_vouched(item, work))


def _write_back(
    links: Mapping[tuple[int, int], list[Any] | None],
    trust: Mapping[int, datetime | None],
    idle: Collection[int],
    said: Provenance,
) -> None:
    ours = f"{said.cause}:%"
    with connection.cursor() as cursor:
        made = sorted(ends for ends, before in links.items() if before is None)
        if made:
            lows, highs = numbers(low for low, _ in made), numbers(high for _, high in made)
            mine = (
                "(low_id, high_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))"
                " AND tie LIKE %s AND NOT manual AND denied_at IS NULL"
            )
            cursor.execute(
                "UPDATE profiles_merge SET link_id = NULL WHERE state <> 'quarantined' AND link_id IN"
                f" (SELECT id FROM profiles_identitylink WHERE {mine})",
                [lows, highs, ours],
            )
            cursor.execute(
                f"DELETE FROM profiles_merge WHERE link_id IN (SELECT id FROM profiles_identitylink WHERE {mine})",
                [lows, highs, ours],
            )
            cursor.execute(f"DELETE FROM profiles_identitylink WHERE {mine}", [lows, highs, ours])
        restored = sorted((ends, before) for ends, before in links.items() if before is not None)
        if restored:
            cursor.execute(
                "UPDATE profiles_identitylink l SET first_at = n.at, tie = n.tie, weak = n.weak"
                " FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::bool[])"
                " AS n(low, high, at, tie, weak)"
                " WHERE l.low_id = n.low AND l.high_id = n.high AND l.tie LIKE %s",
                [
                    numbers(ends[0] for ends, _ in restored),
                    numbers(ends[1] for ends, _ in restored),
                    texts(before[0] for _, before in restored),
                    texts(before[1] for _, before in restored),
                    flags(before[2] for _, before in restored),
                    ours,
                ],
            )
        if trust:
            ordered = sorted(trust.items())
            cursor.execute(
                "UPDATE profiles_identifier i SET trusted_at = n.at"
                " FROM unnest(%s::bigint[], %s::timestamptz[]) AS n(id, at) WHERE i.id = n.id",
                [numbers(id for id, _ in ordered), moments(at for _, at in ordered)],
            )
        if idle:
            cursor.execute(
                "UPDATE profiles_identifier SET in_use = false WHERE id = ANY(%s::bigint[])", [numbers(sorted(idle))]
            )


def _emptied(profile_ids: Collection[int]) -> set[int]:
    if not profile_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_EMPTY, [numbers(sorted(profile_ids))])
        return {id for (id,) in cursor.fetchall()}
