"""Run the long steps of imports: dry run, commit, undo. One worker an import, others may run other imports."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from profiles.importing.commit import commit_block
from profiles.importing.dryrun import decide, plan_targets, read_file
from profiles.importing.identifiers import identifier_check
from profiles.importing.jobs import LeaseLost, StopWanted, claim_import, hand_back, heed_stop, leave, renew
from profiles.importing.mapping import FileMapping, parse_mapping
from profiles.importing.reasons import import_error
from profiles.importing.rows import RowChecker
from profiles.importing.staging import drop_stage
from profiles.importing.targets import ImportTarget, all_targets
from profiles.importing.undoing import undo_block
from profiles.models import IdentifierKind, Import, ImportRow
from profiles.models.imports import ImportState
from profiles.querysets.imports import count_rows
from profiles.services.imports import close_import, usable_kinds

logger = logging.getLogger(__name__)

#: one statement matches all rows with all people; it renews nothing while it runs
DECIDE_LEASE = timedelta(minutes=20)


def run_imports(seconds: float = 50.0) -> bool:
    """Work on imports for about so long; return whether work is left."""
    deadline = time.monotonic() + seconds
    while job := claim_import():
        try:
            _run(job, deadline)
        except LeaseLost:
            logger.warning("import %s was taken over by another worker", job.pk)
        except StopWanted as stop:
            _stop(job, stop.state)
        except CdpError as error:
            reason = import_error(error)
            leave(
                job,
                ImportState.FAILED,
                error_code=reason.code,
                error_params=reason.params,
                finished_at=timezone.now(),
            )
        except Exception:
            logger.exception("import %s stopped", job.pk)
            _note_trouble(job)
        if time.monotonic() >= deadline:
            return Import.objects.filter(
                state__in=(ImportState.CHECKING, ImportState.RUNNING, ImportState.UNDOING)
            ).exists()
    return False


def _note_trouble(job: Import) -> None:
    """Leave the claim to run out: the import is tried again after it, five times at most."""
    Import.objects.filter(pk=job.pk, lease_until=job.lease_until).update(
        lease_until=timezone.now() + timedelta(seconds=5)
    )


def _run(job: Import, deadline: float) -> None:
    if job.state == ImportState.CHECKING:
        _check(job)
    elif job.state == ImportState.RUNNING:
        _commit(job, deadline)
    else:
        _undo(job, deadline)


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


def _check(job: Import) -> None:
    """Run the dry run, from the start of the file."""
    mapping = parsed_mapping(job)
    targets = _targets_of(mapping)
    blocked = dict(IdentifierKind.objects.values_list("name", "blocked_values"))
    checker = RowChecker(
        mapping,
        identifier_check=lambda kind: identifier_check(kind, blocked),
        target_checks={target.name: target.check for target in targets},
    )

    def progress(rows: int, share: float) -> None:
        heed_stop(job)
        renew(job, rows_done=rows, counts={"share": share})

    total = read_file(job, checker, progress)
    renew(job, lease=DECIDE_LEASE)
    decide(job, checker, mapping)
    kept = plan_targets(job, targets, timezone.now())
    with transaction.atomic():
        _take_time()
        counts = count_rows(job.pk) | {"targets": kept, "to_do": _to_do(job.pk)}
    heed_stop(job)
    leave(
        job, ImportState.READY, counts=counts, planned=counts, rows_total=total, rows_done=0, checked_at=timezone.now()
    )


def _take_time() -> None:
    """Lift the time limit that statements of pages have, for this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")


def _to_do(import_id: int) -> int:
    rows = ImportRow.objects.filter(import_id=import_id)
    plain = rows.filter(outcome__in=("created", "updated")).count()
    return plain + rows.filter(outcome="unchanged", data__has_key="x").count()


def _commit(job: Import, deadline: float) -> None:
    """Write block after block until the file, the time or somebody's patience is at its end."""
    targets = _targets_of(parsed_mapping(job))
    source_id = _source(job)
    if not job.rows_done:
        renew(job, counts={**job.counts, "targets": {}})
    while commit_block(job, targets, source_id):
        heed_stop(job)
        if time.monotonic() >= deadline:
            hand_back(job)
            return
    _finish(job, ImportState.DONE)


def _finish(job: Import, state: str) -> None:
    """Count what became of the rows and close the import."""
    with transaction.atomic():
        _take_time()
        renew(job)
        close_import(job, state)
        kept = job.counts.get("targets", {})
        job.counts = {**count_rows(job.pk), "targets": kept, "to_do": job.counts.get("to_do", 0)}
        job.save()


def _stop(job: Import, state: str) -> None:
    if state == ImportState.CANCELLED:
        drop_stage(job.pk)
        _finish(job, ImportState.CANCELLED)
    else:
        leave(job, state)


def _undo(job: Import, deadline: float) -> None:
    """Take back block after block, from the end of the file."""
    if not job.rows_done:
        words: dict[str, Any] = {}
        for target in all_targets().values():
            for word, count in target.undo(job.pk, job.confirmed_by).items():
                words[word] = words.get(word, 0) + count
        renew(job, counts={**job.counts, "undone": {"removed": 0, "restored": 0, "kept": 0, **words}})
    while undo_block(job):
        if time.monotonic() >= deadline:
            hand_back(job)
            return
    leave(job, ImportState.UNDONE, finished_at=timezone.now(), done_line=0)
