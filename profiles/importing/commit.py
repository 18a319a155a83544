"""The commit: block by block, each one transaction that also notes how far the import came.

A worker that dies leaves the last committed line behind; the next goes on after it. A block that meets an
identifier which came to be since the dry run is read again and tried again.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import msgspec
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from cdp.common.faults import Race, persist
from cdp.common.queue_items import Claim
from cdp.common.reasons import Params
from profiles.changes import Change, announce
from profiles.importing.dryrun import target_job
from profiles.importing.jobs import renew
from profiles.importing.people import (
    Person,
    PersonRow,
    Provenance,
    Stored,
    create_people,
    json_text,
    load_identifiers,
    load_people,
    update_people,
)
from profiles.importing.targets import ImportTarget, TargetRow
from profiles.models import Import
from profiles.tombstones import find_erased

BLOCK = 5_000

_NEXT_ROWS = """
SELECT line, data::text, outcome, profile_id FROM profiles_importrow
WHERE import_id = %s AND line > %s AND (outcome IN ('created', 'updated') OR (outcome = 'unchanged' AND data ? 'x'))
ORDER BY line LIMIT %s
"""
_KEEP_RESULT = """
UPDATE profiles_importrow r
SET profile_id = w.profile_id, outcome = w.outcome, reason = w.reason, params = w.params, changes = w.changes,
    data = CASE WHEN w.reason = 'erased' THEN NULL ELSE r.data END
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[])
     AS w(line, profile_id, outcome, reason, params, changes)
WHERE r.import_id = %s AND r.line = w.line
"""


def next_rows(import_id: int, after: int, limit: int = BLOCK) -> list[PersonRow]:
    """Return the next rows that have something to write, by line."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_ROWS, [import_id, after, limit])
        return [
            # A row without data is of somebody who was erased since the dry run.
            PersonRow(line, msgspec.json.decode(data) if data else {"i": []}, outcome, profile_id)
            for line, data, outcome, profile_id in cursor.fetchall()
        ]


class Moved(Race):
    """An identifier went to another person between look-up and lock."""


def commit_block(
    job: Import, claim: Claim, targets: Sequence[ImportTarget], source_id: int, limit: int = BLOCK
) -> bool:
    """Write the next rows, in one transaction; return whether there was anything left to do."""
    before = (job.done_line, job.rows_done, copy.deepcopy(job.counts))

    def attempt() -> bool:
        job.done_line, job.rows_done, job.counts = *before[:2], copy.deepcopy(before[2])
        with transaction.atomic():
            return _commit_block(job, claim, targets, source_id, limit)

    try:
        return persist(attempt)
    except BaseException:
        job.done_line, job.rows_done, job.counts = before
        raise


@transaction.atomic
def reject_next_row(job: Import, claim: Claim, error: str) -> None:
    """Reject the next row, which cannot be written, with what went wrong."""
    (row,) = next_rows(job.pk, job.done_line, 1)
    renew(job, claim, rows_done=job.rows_done + 1, done_line=row.line)
    row.outcome, row.reason, row.params, row.profile_id = "rejected", "not_storable", {"error": error}, None
    _keep_results(job.pk, [row])


def _commit_block(job: Import, claim: Claim, targets: Sequence[ImportTarget], source_id: int, limit: int) -> bool:
    rows = next_rows(job.pk, job.done_line, limit)
    if not rows:
        return False
    with connection.cursor() as cursor:  # both only trade work now for work later, and the block is whole or not at all
        cursor.execute("SET LOCAL gin_pending_list_limit = '1GB'; SET LOCAL synchronous_commit = off")
    as_planned = {row.line: (row.outcome, row.profile_id) for row in rows}
    said = Provenance(cause=f"import:{job.pk}", import_id=job.pk, source_id=source_id, at=timezone.now())
    # the claim first: a worker that lost its lease must not get as far as writing
    renew(job, claim, progress=True, rows_done=job.rows_done + len(rows), done_line=rows[-1].line)
    try:
        live = _write(_leave_out_erased(rows), said)
    except IntegrityError as error:
        raise Race("an identifier came to be since the look-up") from error
    _apply_targets(job, live, targets)
    _keep_results(
        job.pk,
        [row for row in rows if row.changes or row.reason or as_planned[row.line] != (row.outcome, row.profile_id)],
    )
    created = {row.profile_id for row in live if row.profile_id and row.outcome == "created"}
    #: a registered target may have written to somebody whose traits stay the same
    updated = {
        row.profile_id for row in live if row.profile_id and (row.outcome == "updated" or "x" in row.data)
    } - created
    if created | updated:
        announce(Change(profile_ids=created | updated, cause="import", created_profile_ids=created))
    return True


def _leave_out_erased(rows: Sequence[PersonRow]) -> list[PersonRow]:
    """Mark rows of people erased since the dry run, which emptied theirs; return the others."""
    erased = find_erased([(kind, value) for row in rows for kind, value in row.data["i"]])
    live = []
    for row in rows:
        if not row.data["i"] or any((kind, value) in erased for kind, value in row.data["i"]):
            row.outcome, row.reason, row.profile_id = "skipped", "erased", None
        else:
            live.append(row)
    return live


def _write(rows: Sequence[PersonRow], said: Provenance) -> list[PersonRow]:
    """Create and update people; return the rows that came through."""
    stored = load_identifiers([(kind, value) for row in rows for kind, value in row.data["i"]])
    people = load_people({item.profile_id for item in stored.values()})
    for item in stored.values():
        person = people.get(item.profile_id)
        if person is None or all(own.id != item.id for own in person.identifiers):
            raise Moved(item.id)
    new: list[PersonRow] = []
    known: list[PersonRow] = []
    for row in rows:
        match = stored.get(tuple(row.data["i"][0]))
        if match is not None:
            row.profile_id = match.profile_id
        problem = _problem(row, stored, people)
        if problem:
            row.outcome, row.reason, row.params = problem
            row.profile_id = None
        elif match is None:
            new.append(row)
        else:
            known.append(row)
    create_people(new, said)
    update_people(known, people, said)
    return new + known


def _problem(
    row: PersonRow, stored: dict[tuple[str, str], Stored], people: dict[int, Person]
) -> tuple[str, str, Params | None] | None:
    """Return (outcome, reason, its parameters) when the row may not be written, by what is true now."""
    if row.profile_id in people and people[row.profile_id].restricted:
        return "skipped", "restricted", None
    for kind, value in row.data["i"][1:]:
        other = stored.get((kind, value))
        if other is not None and other.profile_id != row.profile_id:
            return "rejected", "belongs_to_another", {"column": kind}
    return None


def _apply_targets(job: Import, rows: Sequence[PersonRow], targets: Sequence[ImportTarget]) -> None:
    """Hand the cells of registered targets over, and count what became of them."""
    if not targets:
        return
    about = target_job(job, timezone.now())
    totals: dict[str, dict[str, int]] = job.counts.setdefault("targets", {})
    by_line = {row.line: row for row in rows}
    for target in targets:
        cells = [
            TargetRow(
                line=row.line,
                value=row.data["x"][target.name],
                profile_id=row.profile_id,
                identifier_id=row.identifier_id,
                identifiers=tuple((kind, value) for kind, value in row.data["i"]),
            )
            for row in rows
            if target.name in row.data.get("x", ())
        ]
        if not cells:
            continue
        result = target.apply(cells, about)
        words = totals.setdefault(target.name, {})
        for word, count in result.counts.items():
            words[word] = words.get(word, 0) + count
        for line, code in result.refused.items():
            by_line[line].reason = code[:60]
    Import.objects.filter(pk=job.pk).update(counts=job.counts)


def _keep_results(import_id: int, rows: Sequence[PersonRow]) -> None:
    """Write down what became of rows that the dry run could not know."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _KEEP_RESULT,
            [
                [row.line for row in rows],
                [row.profile_id for row in rows],
                [row.outcome for row in rows],
                [row.reason for row in rows],
                [json_text(row.params) if row.params else None for row in rows],
                [json_text(row.changes) if row.changes else None for row in rows],
                import_id,
            ],
        )
