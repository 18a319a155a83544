"""The opt-outs of rows that are refused: they hold, whatever else is wrong with their row.

They are applied after all other rows, so that a row which was refused as a second one finds the person whom the first
one made. Each of a row's identifiers is looked up: an opt-out counts for everybody whom the row names.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from cdp.common.faults import persist
from cdp.common.queue_items import Claim
from profiles.changes import Change, announce
from profiles.importing.dryrun import target_job
from profiles.importing.jobs import renew
from profiles.importing.targets import ImportTarget, TargetRow
from profiles.models import Import
from profiles.resolution.rows import find_identifiers

BLOCK = 2_000

_NEXT = """
SELECT line, data::text FROM profiles_importrow
WHERE import_id = %s AND line > %s AND outcome IN ('rejected', 'skipped') AND reason <> 'erased' AND data ? 'x'
ORDER BY line LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class OptOuts:
    """A refused row: whom it names, and what it takes away by target."""

    line: int
    identifiers: list[tuple[str, str]]
    cells: dict[str, Any]


def count_opt_outs(job: Import, targets: Sequence[ImportTarget]) -> int:
    """Return how many refused rows hold an opt-out."""
    return sum(len(rows) for rows, _last in _blocks(job, 0, targets))


def apply_opt_outs(job: Import, claim: Claim, targets: Sequence[ImportTarget]) -> bool:
    """Apply those of the next block, in one transaction; return whether there was anything left to do."""
    before = (job.done_line, copy.deepcopy(job.counts))

    def attempt() -> bool:
        job.done_line, job.counts = before[0], copy.deepcopy(before[1])
        with transaction.atomic():
            return _apply_block(job, claim, targets)

    try:
        return persist(attempt)
    except BaseException:
        job.done_line, job.counts = before
        raise


def _apply_block(job: Import, claim: Claim, targets: Sequence[ImportTarget]) -> bool:
    done = {"rows": 0, "applied": 0, "unknown": 0, "line": 0, **job.counts.get("opt_outs", {})}
    rows, last = next(_blocks(job, done["line"], targets), ([], 0))
    if not last:
        return False
    known = find_identifiers({pair for row in rows for pair in row.identifiers})
    totals: dict[str, dict[str, int]] = job.counts.setdefault("targets", {})
    people: set[int] = set()
    for target in targets:
        cells = [cell for row in rows if target.name in row.cells for cell in _cells(row, target.name, known)]
        if not cells:
            continue
        people |= {cell.profile_id for cell in cells if cell.profile_id is not None}
        words = totals.setdefault(target.name, {})
        for word, count in target.apply(cells, target_job(job, timezone.now())).counts.items():
            words[word] = words.get(word, 0) + count
    applied = sum(any(pair in known for pair in row.identifiers) for row in rows)
    done["rows"] += len(rows)
    done["applied"] += applied
    done["unknown"] += len(rows) - applied
    done["line"] = last
    counts = {**job.counts, "opt_outs": done}
    renew(job, claim, progress=True, done_line=max(job.done_line, last), counts=counts)
    if people:
        announce(Change(profile_ids=people, cause="import"))
    return True


def _blocks(job: Import, after: int, targets: Sequence[ImportTarget]) -> Iterator[tuple[list[OptOuts], int]]:
    """Yield (rows with an opt-out, last line looked at) of the refused rows, block by block."""
    lowers = {target.name: target.lowers for target in targets}
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [job.pk, after, BLOCK])
            found = cursor.fetchall()
        if not found:
            return
        after = found[-1][0]
        rows = []
        for line, text in found:
            data = msgspec.json.decode(text)
            cells = {name: value for name, value in data["x"].items() if name in lowers and lowers[name](value)}
            if cells:
                rows.append(OptOuts(line, [(kind, value) for kind, value in data["i"]], cells))
        yield rows, after


def _cells(row: OptOuts, name: str, known: dict[tuple[str, str], Any]) -> Iterator[TargetRow]:
    """Yield the cell once for each person whom the row names."""
    seen: set[int] = set()
    for pair in row.identifiers:
        identifier = known.get(pair)
        if identifier is not None and identifier.profile_id not in seen:
            seen.add(identifier.profile_id)
            yield TargetRow(
                line=row.line,
                value=row.cells[name],
                profile_id=identifier.profile_id,
                identifier_id=identifier.id,
                identifiers=tuple(row.identifiers),
            )
