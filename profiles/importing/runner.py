"""Run the long steps of imports: dry run, commit, undo. One worker an import, others may run other imports."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common import queues
from cdp.common.errors import CdpError
from cdp.common.faults import Fault, bounded, describe_error, fault_of
from cdp.common.models import DeadLetter
from cdp.common.queue_items import Claim, LeaseLost, feed, put, work_items
from cdp.common.queues import GIVE_WAY_SECONDS, Run
from cdp.common.wake import wake
from profiles.importing.commit import BLOCK, commit_block, reject_next_row
from profiles.importing.dryrun import decide, plan_targets, read_file
from profiles.importing.identifiers import identifier_check
from profiles.importing.jobs import ACTIVE, ITEM_SECONDS, NAME, TASK, StopWanted, heed_stop, leave, renew
from profiles.importing.mapping import FileMapping, parse_mapping
from profiles.importing.reasons import import_error
from profiles.importing.refused import apply_opt_outs, count_opt_outs
from profiles.importing.rows import RowChecker
from profiles.importing.services import close_import, usable_kinds
from profiles.importing.staging import drop_stage
from profiles.importing.targets import ImportTarget, all_targets
from profiles.importing.undoing import undo_block, undo_facts, undone_so_far
from profiles.models import IdentifierKind, Import, ImportRow
from profiles.models.imports import ImportState
from profiles.querysets.imports import count_rows
from profiles.tombstones import erasures_so_far

logger = logging.getLogger(__name__)

#: what the counts hold beside what is counted of the rows, and what stands for nothing
_KEPT_COUNTS: tuple[tuple[str, Any], ...] = (("targets", {}), ("opt_outs", {}), ("to_do", 0), ("doubts", []))

#: a row that fails alone is rejected; so many in a row are no fault of theirs
MAX_FAILING = 20

_WAITING = """
SELECT count(*), extract(epoch FROM now() - min(coalesce(q.due_at, i.started_at)))::float
FROM profiles_import i LEFT JOIN common_queueitem q ON q.queue = %s AND q.key = i.id
WHERE i.state = ANY(%s) AND (q.due_at IS NULL OR q.due_at <= now()) AND q.holder IS NULL
"""


def run_imports(seconds: float = GIVE_WAY_SECONDS) -> bool:
    """Work on imports for about so long; return whether time was up first."""
    return queues.drain(NAME, seconds=seconds)


def work_imports(run: Run) -> int:
    """Do the long steps that wait; return how many imports were worked at."""
    states = ", ".join(f"'{state.value}'" for state in ACTIVE)
    feed(NAME, f"SELECT id FROM profiles_import WHERE state IN ({states})")
    return work_items(run, partial(_work, run), on_failure=_note_failure)


def measure() -> tuple[int, float | None]:
    """Return how many imports wait for a worker, and for how long the first has."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [NAME, list(ACTIVE)])
        count, age = cursor.fetchone()
    return count, age


def retry_import(letter: DeadLetter) -> None:
    """Let the import of a dead letter go on at the step that failed; one that somebody took further is left alone."""
    going_on = {"state": letter.payload["state"], "error_code": "", "finished_at": None, "stop_wanted": ""}
    if Import.objects.filter(pk=int(letter.key), state=ImportState.FAILED).update(**going_on):
        put(NAME, [int(letter.key)])
        wake(TASK)


def _work(run: Run, claim: Claim) -> None:
    job = Import.objects.filter(pk=claim.key, state__in=ACTIVE).first()
    if job is None:
        return  # it was ended while it waited
    try:
        if job.state == ImportState.CHECKING:
            _check(job, claim)
        elif job.state == ImportState.RUNNING:
            _commit(job, claim, run)
        else:
            _undo(job, claim, run)
    except StopWanted as stop:
        _stop(job, claim, stop.state)
    except CdpError as error:
        reason = import_error(error)
        ended = {"error_code": reason.code, "error_params": reason.params, "finished_at": timezone.now()}
        leave(job, claim, ImportState.FAILED, **ended)


def _note_failure(claim: Claim, letter: DeadLetter | None, error: str) -> None:
    """Write on the import what went wrong; one that is given up waits for a person."""
    job = Import.objects.select_for_update(of=("self",)).filter(pk=claim.key, state__in=ACTIVE).first()
    if job is None:
        return
    job.error_code, job.error_params = "failing", {"times": claim.attempts + 1, "error": error}
    if letter is not None:
        letter.payload = {"state": job.state}
        letter.save(update_fields=["payload"])
        job.error_code, job.error_params["times"] = "worker_stopped", letter.attempts
        job.state, job.finished_at = ImportState.FAILED, timezone.now()
    job.save(update_fields=["state", "error_code", "error_params", "finished_at"])


def parsed_mapping(job: Import) -> FileMapping:
    """Return the job's mapping, checked against the kinds and targets of this moment."""
    return parse_mapping(job.mapping, header=job.header, kinds=usable_kinds(), targets=all_targets())


def _targets_of(mapping: FileMapping) -> list[ImportTarget]:
    known = all_targets()
    return [known[column.registered] for column in mapping.columns if column.registered]


def _source(job: Import) -> int:
    if job.source is None:
        raise CdpError("import.no_source", _("The source that stands for contact files is gone."))
    return job.source.pk


def _check(job: Import, claim: Claim) -> None:
    """Run the dry run, from the start of the file."""
    mapping = parsed_mapping(job)
    targets = _targets_of(mapping)
    blocked = dict(IdentifierKind.objects.values_list("name", "blocked_values"))
    by_name = {target.name: target for target in targets}

    def progress(rows: int, share: float) -> None:
        heed_stop(job)
        renew(job, claim, rows_done=rows, counts={"share": share})

    erasures = None
    while erasures != (erasures := erasures_so_far()):  # again, when somebody was erased whose rows may be staged
        checker = RowChecker(
            mapping,
            identifier_check=lambda kind: identifier_check(kind, blocked, mapping.country),
            targets=by_name,
            separator=job.delimiter,
        )
        total = read_file(job, checker, progress)
        claim.renew()
        decide(job, checker, mapping)
    kept = plan_targets(job, targets, timezone.now())
    with _long_transaction():
        counts = count_rows(job.pk) | {"targets": kept, "to_do": _to_do(job.pk)}
        counts |= {"opt_outs": {"rows": count_opt_outs(job, targets)}, "doubts": checker.doubts()}
    heed_stop(job)
    done = {"counts": counts, "planned": counts, "rows_total": total, "rows_done": 0, "error_code": ""}
    leave(job, claim, ImportState.READY, **done, checked_at=timezone.now())


@contextmanager
def _long_transaction() -> Iterator[None]:
    """Open a transaction whose statements may take longer than those of pages."""
    with transaction.atomic(), bounded(ITEM_SECONDS):
        yield


def _to_do(import_id: int) -> int:
    rows = ImportRow.objects.filter(import_id=import_id)
    plain = rows.filter(outcome__in=("created", "updated")).count()
    return plain + rows.filter(outcome="unchanged", data__has_key="x").count()


def _commit(job: Import, claim: Claim, run: Run) -> None:
    """Write block after block until the file, the time or somebody's patience is at its end.

    A block that fails is written in smaller ones, and a row that fails alone is rejected.
    """
    targets = _targets_of(parsed_mapping(job))
    source_id = _source(job)
    if not job.rows_done:
        counts = {**job.counts, "targets": {}, "opt_outs": {}}
        renew(job, claim, counts=counts, said_at=job.said_at or timezone.now())
    size, failing, more = BLOCK, 0, True
    while more:
        try:
            more = commit_block(job, claim, targets, source_id, size)
            size, failing = min(size * 8, BLOCK), 0
        except (CdpError, LeaseLost):
            raise
        except Exception as error:
            if fault_of(error) is Fault.SERVER or failing == MAX_FAILING:
                raise
            words = describe_error(error)
            logger.warning("import %s: %d rows after line %d failed: %s", job.pk, size, job.done_line, words)
            if size == 1:
                reject_next_row(job, claim, words)
                failing += 1
            size = max(1, size // 8)
        heed_stop(job)
        if more and not run.goes_on:
            claim.give_back()
            return
    while apply_opt_outs(job, claim, targets):
        heed_stop(job)
        if not run.goes_on:
            claim.give_back()
            return
    _finish(job, claim, ImportState.DONE)


def _finish(job: Import, claim: Claim, state: str) -> None:
    """Count what became of the rows and close the import."""
    with _long_transaction():
        claim.renew()
        close_import(job, state)
        kept = {name: job.counts.get(name, empty) for name, empty in _KEPT_COUNTS}
        job.counts = count_rows(job.pk) | kept
        job.error_code = ""
        job.save()


def _stop(job: Import, claim: Claim, state: str) -> None:
    if state == ImportState.CANCELLED:
        drop_stage(job.pk)
        _finish(job, claim, ImportState.CANCELLED)
    else:
        leave(job, claim, state)


def _undo(job: Import, claim: Claim, run: Run) -> None:
    """Take back block after block: first what registered targets wrote, then the rows from the end of the file."""
    for step in (undo_facts, undo_block):
        while step(job, claim):
            if not run.goes_on:
                claim.give_back()
                return
    undone = undone_so_far(job)
    del undone["places"]
    counts = {**job.counts, "undone": undone}
    leave(job, claim, ImportState.UNDONE, finished_at=timezone.now(), done_line=0, error_code="", counts=counts)
