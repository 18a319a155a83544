"""The commit: block by block, each one transaction that also notes how far the import came.

A worker that dies leaves the last committed line behind; the next goes on after it. A block that meets an
identifier which came to be since the dry run is read again and tried again.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from cdp.common.arrays import numbers, texts
from cdp.common.faults import persist
from cdp.common.garbage import no_cycle_search
from cdp.common.queue_items import Claim
from profiles.changes import announce
from profiles.importing.dryrun import target_job
from profiles.importing.jobs import renew
from profiles.importing.people import FileRow, Provenance, write_rows
from profiles.importing.targets import ImportTarget, TargetRow
from profiles.models import Import
from profiles.processing.sources import load_rules
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
    before = w.before, data = CASE WHEN w.reason = 'erased' THEN NULL ELSE r.data END
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[], %s::jsonb[])
     AS w(line, profile_id, outcome, reason, params, changes, before)
WHERE r.import_id = %s AND r.line = w.line
"""


def next_rows(import_id: int, after: int, limit: int = BLOCK) -> list[FileRow]:
    """Return the next rows that have something to write, by line."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_ROWS, [import_id, after, limit])
        return [
            # A row without data is of somebody who was erased since the dry run.
            FileRow(line, msgspec.json.decode(data) if data else {"i": []}, outcome, profile_id)
            for line, data, outcome, profile_id in cursor.fetchall()
        ]


def commit_block(
    job: Import, claim: Claim, targets: Sequence[ImportTarget], source_id: int, limit: int = BLOCK
) -> bool:
    """Write the next rows, in one transaction; return whether there was anything left to do."""
    before = (job.done_line, job.rows_done, copy.deepcopy(job.counts))

    def attempt() -> bool:
        job.done_line, job.rows_done, job.counts = *before[:2], copy.deepcopy(before[2])
        with transaction.atomic(), no_cycle_search():
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
    said = Provenance(import_id=job.pk, source_id=source_id, at=job.said_at or timezone.now())
    # the claim first: a worker that lost its lease must not get as far as writing
    renew(job, claim, progress=True, rows_done=job.rows_done + len(rows), done_line=rows[-1].line)
    live, change = write_rows(_leave_out_erased(rows), said, load_rules().kinds)
    _apply_targets(job, live, targets)
    _keep_results(
        job.pk,
        [
            row
            for row in rows
            if row.changes or row.before or row.reason or as_planned[row.line] != (row.outcome, row.profile_id)
        ],
    )
    # A registered target may have written to somebody whose traits stay the same.
    change.profile_ids |= {row.profile_id for row in live if row.profile_id and "x" in row.data}
    if change.profile_ids:
        announce(change)
    return True


def _leave_out_erased(rows: Sequence[FileRow]) -> list[FileRow]:
    """Mark rows of people erased since the dry run, which emptied theirs; return the others."""
    erased = find_erased([(kind, value) for row in rows for kind, value in row.data["i"]])
    live = []
    for row in rows:
        if not row.data["i"] or any((kind, value) in erased for kind, value in row.data["i"]):
            row.outcome, row.reason, row.profile_id = "skipped", "erased", None
        else:
            live.append(row)
    return live


def _apply_targets(job: Import, rows: Sequence[FileRow], targets: Sequence[ImportTarget]) -> None:
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


def _keep_results(import_id: int, rows: Sequence[FileRow]) -> None:
    """Write down what became of rows that the dry run could not know."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _KEEP_RESULT,
            [
                numbers(row.line for row in rows),
                numbers(row.profile_id for row in rows),
                texts(row.outcome for row in rows),
                texts(row.reason for row in rows),
                texts(_json_or_null(row.params) for row in rows),
                texts(_json_or_null(row.changes) for row in rows),
                texts(_json_or_null(row.before) for row in rows),
                import_id,
            ],
        )


def _json_or_null(value: Any) -> str | None:
    return msgspec.json.encode(value).decode() if value else None
