"""The dry run: read the file, check each row, and find out what it would do to whom. Writes nothing to people.

First the file goes, in blocks, through the checker into a staging table. Then one statement matches all rows with
the people there are and writes down what becomes of each: so a million rows cost a handful of statements.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from cdp.common.faults import bounded, describe_error
from profiles.importing.decoding import MARK_ERRORS, reader_encoding
from profiles.importing.dialect import BrokenRow, Row, read_rows
from profiles.importing.jobs import ITEM_SECONDS
from profiles.importing.mapping import FileMapping
from profiles.importing.rows import Refusal, RowChecker
from profiles.importing.staging import StageRow, create_stage, drop_stage, fill_stage, stage_table
from profiles.importing.targets import ImportTarget, Proof, TargetJob, TargetRow
from profiles.models import Import, ImportRow
from profiles.tombstones import find_erased

BLOCK = 10_000

#: called after each block with (rows read, share of the file read); raises to stop
Progress = Callable[[int, float], None]


def job_proof(job: Import) -> Proof | None:
    """Return the proof that was stated for the import, if any."""
    return Proof(**job.proof) if job.proof else None


def target_job(job: Import, at: datetime) -> TargetJob:
    """Return what registered targets are told of the job."""
    return TargetJob(
        import_id=job.pk, import_name=job.name, actor=job.confirmed_by or job.created_by, proof=job_proof(job), at=at
    )


def file_rows(job: Import) -> Iterator[Row | BrokenRow]:
    """Yield the rows after the header."""
    encoding = reader_encoding(job.encoding)
    with (
        job.file.open("rb") as raw,
        open(raw.fileno(), encoding=encoding, errors=MARK_ERRORS, newline="", closefd=False) as text,
    ):
        rows = read_rows(text, job.delimiter)
        next(rows, None)
        yield from rows


def read_file(job: Import, checker: RowChecker, progress: Progress) -> int:
    """Check every row into the staging table; return how many rows the file has."""
    create_stage(job.pk, len(checker.kinds))
    block: list[StageRow] = []
    count = seen = 0
    for row in file_rows(job):
        block.append(_stage_row(row, checker))
        seen += len(row.text) if isinstance(row, BrokenRow) else sum(map(len, row.cells)) + len(row.cells)
        if len(block) >= BLOCK:
            count += _store(job, block, checker)
            block = []
            progress(count, min(seen / max(job.size, 1), 0.9))
    count += _store(job, block, checker)
    progress(count, 0.9)
    return count


def _stage_row(row: Row | BrokenRow, checker: RowChecker) -> StageRow:
    if isinstance(row, BrokenRow):
        return (row.line, "rejected", row.code, row.params or None, [row.text.rstrip("\r\n")], None)
    try:
        result = checker.check(row.cells)
    except Exception as error:  # noqa: BLE001 - whatever one row holds, the others are read
        return (row.line, "rejected", "not_storable", {"error": describe_error(error)}, row.cells, None)
    if isinstance(result, Refusal):
        params = {"column": result.column[:300]} if result.column else None
        return (row.line, result.outcome, result.code, params, row.cells, result.data)
    return (row.line, "", "", None, None, result)


def _store(job: Import, block: list[StageRow], checker: RowChecker) -> int:
    """Mark the rows of erased people, which are not even kept as data, and store the block."""
    if not block:
        return 0
    keys = [(kind, value) for row in block if row[5] for kind, value in row[5]["i"]]
    erased = find_erased(keys)
    if erased:
        block = [_without_erased(row, erased) for row in block]
    fill_stage(job.pk, block, checker.kinds)
    return len(block)


def _without_erased(row: StageRow, erased: set[tuple[str, str]]) -> StageRow:
    if row[5] and any((kind, value) in erased for kind, value in row[5]["i"]):
        return (row[0], "skipped", "erased", None, None, None)
    return row


_DUPLICATES = """
CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS
SELECT {key} AS key, min(line) AS line FROM {stage} WHERE outcome = '' AND {key} IS NOT NULL
GROUP BY {key} HAVING count(*) > 1
"""

#: what becomes of each row, in the order in which the reasons count; people to be created have their number already,
#: so that the commit need not write it back
_DECIDE = """
INSERT INTO profiles_importrow (import_id, line, outcome, reason, params, cells, data, profile_id, changes)
SELECT %(import_id)s, s.line, d.outcome, d.reason, d.params, s.cells,
       s.data,
       CASE WHEN d.outcome IN ('updated', 'unchanged') THEN p.id
            WHEN d.outcome = 'created' THEN nextval(pg_get_serial_sequence('profiles_profile', 'id')) END,
       CASE WHEN d.outcome = 'updated' THEN c.changes END
FROM {stage} s
LEFT JOIN profiles_identifier i ON s.outcome = '' AND i.kind = %(match)s AND i.value = s.k0
LEFT JOIN profiles_profile p ON p.id = i.profile_id
{joins}
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(w.key, jsonb_build_array(w.old, w.new)) AS changes FROM (
        SELECT e.key, p.traits -> e.key AS old, e.value AS new FROM jsonb_each(s.data -> 't') e
        WHERE p.traits -> e.key IS DISTINCT FROM e.value
          AND NOT coalesce(p.origins -> e.key ? 'pin', false)
        UNION ALL
        SELECT e.key, NULL, e.value FROM jsonb_each(s.data -> 'f') e WHERE NOT p.traits ? e.key
        {new_identifiers}
    ) w
) c ON p.id IS NOT NULL
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN s.outcome <> '' THEN ARRAY[s.outcome, s.reason, s.params::text]
        {cases}
        WHEN p.restricted_at IS NOT NULL THEN ARRAY['skipped', 'restricted', NULL]
        WHEN p.id IS NULL THEN ARRAY['created', '', NULL]
        WHEN c.changes IS NULL THEN ARRAY['unchanged', '', NULL]
        ELSE ARRAY['updated', '', NULL] END AS verdict
) v
CROSS JOIN LATERAL (SELECT v.verdict[1] AS outcome, v.verdict[2] AS reason, v.verdict[3]::jsonb AS params) d
"""


def decide(job: Import, checker: RowChecker, mapping: FileMapping) -> None:
    """Write down what becomes of every staged row; one transaction, repeatable from the start."""
    headers = {column.kind: column.header for column in mapping.columns if column.kind}
    stage = stage_table(job.pk)
    params: dict[str, Any] = {"import_id": job.pk, "match": checker.kinds[0]}
    joins, cases, new_identifiers = [], [], []
    with transaction.atomic(), bounded(ITEM_SECONDS), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '96MB'")
        ImportRow.objects.filter(import_id=job.pk).delete()
        cursor.execute(sql.SQL("ANALYZE {}").format(stage))
        for number, kind in enumerate(checker.kinds):
            key, twice = sql.Identifier(f"k{number}"), sql.Identifier(f"import_twice_{number}")
            cursor.execute(sql.SQL(_DUPLICATES).format(table=twice, key=key, stage=stage))
            cursor.execute(sql.SQL("ANALYZE {}").format(twice))
            params |= {f"kind{number}": kind, f"column{number}": json.dumps({"column": headers[kind]})}
            parts = _parts(number)
            joins.append(sql.SQL(parts[0]).format(twice=twice))
            cases.append(sql.SQL(parts[1]))
            new_identifiers.append(sql.SQL(parts[2]))
        cursor.execute(
            sql.SQL(_DECIDE).format(
                stage=stage,
                joins=sql.SQL("").join(joins),
                cases=sql.SQL("").join(cases),
                new_identifiers=sql.SQL("").join(new_identifiers),
            ),
            params,
        )
        for number in range(len(checker.kinds)):
            cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"import_twice_{number}")))
    drop_stage(job.pk)


def _parts(number: int) -> tuple[str, str, str]:
    """Return the joins, cases and new identifiers of the identifier column with this number; 0 is the matching one."""
    join = f" LEFT JOIN {{twice}} t{number} ON s.outcome = '' AND t{number}.key = s.k{number}"
    if number == 0:
        return (
            join,
            " WHEN t0.line < s.line THEN ARRAY['skipped', 'duplicate', jsonb_build_object('line', t0.line)::text]",
            "",
        )
    join += (
        f" LEFT JOIN profiles_identifier i{number}"
        f" ON s.outcome = '' AND i{number}.kind = %(kind{number})s AND i{number}.value = s.k{number}"
    )
    case = (
        f" WHEN t{number}.line < s.line"
        f" THEN ARRAY['rejected', 'duplicate_identifier', jsonb_build_object('line', t{number}.line)::text]"
        f" WHEN i{number}.profile_id <> coalesce(p.id, 0)"
        f" THEN ARRAY['rejected', 'belongs_to_another', %(column{number})s]"
        f" WHEN p.id IS NOT NULL AND s.k{number} IS NOT NULL AND i{number}.id IS NULL AND"
        f" (SELECT count(*) FROM profiles_identifier o WHERE o.profile_id = p.id AND o.kind = %(kind{number})s)"
        f' >= (SELECT "limit" FROM profiles_identifierkind WHERE name = %(kind{number})s)'
        f" THEN ARRAY['rejected', 'too_many_identifiers', %(column{number})s]"
    )
    new = (
        f" UNION ALL SELECT 'id:' || %(kind{number})s, NULL, to_jsonb(s.k{number})"
        f" WHERE s.k{number} IS NOT NULL AND i{number}.id IS NULL"
    )
    return join, case, new


def plan_targets(job: Import, targets: Sequence[ImportTarget], at: datetime) -> dict[str, dict[str, int]]:
    """Ask each registered target what its cells would do; return {target: {word: count}}."""
    totals: dict[str, dict[str, int]] = {target.name: {} for target in targets}
    if not targets:
        return totals
    about = target_job(job, at)
    rows = (
        ImportRow.objects.filter(import_id=job.pk, outcome__in=("created", "updated", "unchanged"))
        .filter(data__has_key="x")
        .order_by("line")
        .values_list("line", "profile_id", "data", "outcome")
    )
    done_line = 0
    while block := list(rows.filter(line__gt=done_line)[:BLOCK]):
        done_line = block[-1][0]
        cells = [(line, profile_id, data or {}, planned) for line, profile_id, data, planned in block]
        for target in targets:
            outcome = target.plan(target_rows(target.name, cells), about)
            for word, count in outcome.counts.items():
                totals[target.name][word] = totals[target.name].get(word, 0) + count
            _note_refusals(job.pk, outcome.refused)
    return totals


def _note_refusals(import_id: int, refused: dict[int, str]) -> None:
    """Put the reason on rows of which a cell is refused, so that they can be listed; the row itself goes on."""
    if not refused:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE profiles_importrow r SET reason = w.code FROM unnest(%s::bigint[], %s::text[]) AS w(line, code) "
            "WHERE r.import_id = %s AND r.line = w.line",
            [list(refused), [code[:60] for code in refused.values()], import_id],
        )


def target_rows(name: str, block: Sequence[tuple[int, int | None, dict[str, Any], str]]) -> list[TargetRow]:
    """Return the cells that go to a registered target."""
    return [
        TargetRow(
            line=line,
            value=data["x"][name],
            profile_id=profile_id if outcome != "created" else None,
            identifier_id=None,
            identifiers=tuple((kind, value) for kind, value in data["i"]),
        )
        for line, profile_id, data, outcome in block
        if name in data.get("x", ())
    ]
