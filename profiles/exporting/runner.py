"""Write exports: block after block of one snapshot, so that memory stays flat and the file is of one moment."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from cdp.common.exports import ExportKind, export_kinds
from cdp.common.keyset import keyset_page
from cdp.common.masking import PII_PERMISSION, can_see_pii
from cdp.common.models import DeadLetter
from cdp.common.queue_items import Claim, feed, put, work_items
from cdp.common.queues import Run
from cdp.common.token_scopes import narrow_user
from profiles.exporting.files import delete_file, path_of, written
from profiles.exporting.jobs import ACTIVE, NAME, lasting
from profiles.exporting.snapshot import snapshot
from profiles.models import Export
from profiles.models.export import ExportState
from profiles.tombstones import erasures_so_far, hold_off_erasures

BLOCK = 1_000
#: files that are begun anew because somebody was erased meanwhile; then the export fails
MAX_BEGINNINGS = 5

_WAITING = """
SELECT count(*), extract(epoch FROM now() - min(coalesce(q.due_at, e.created_at)))::float
FROM profiles_export e LEFT JOIN common_queueitem q ON q.queue = %s AND q.key = e.id
WHERE e.state = ANY(%s) AND (q.due_at IS NULL OR q.due_at <= now()) AND q.holder IS NULL
"""


class _Stopped(Exception):
    """Somebody cancelled it."""


def measure() -> tuple[int, float | None]:
    """Return how many exports wait, and for how long the first has."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [NAME, [state.value for state in ACTIVE]])
        count, age = cursor.fetchone()
    return int(count), None if age is None else max(0.0, age)


def work_exports(run: Run) -> int:
    """Write the exports that wait; return how many."""
    states = ", ".join(f"'{state.value}'" for state in ACTIVE)
    feed(NAME, f"SELECT id FROM profiles_export WHERE state IN ({states})")
    return work_items(run, _work, on_failure=_note_failure)


def retry_export(letter: DeadLetter) -> None:
    """Begin an export anew that was given up."""
    Export.objects.filter(pk=int(letter.key), state=ExportState.FAILED).update(state=ExportState.WAITING, code="")
    put(NAME, [int(letter.key)])


def _note_failure(claim: Claim, letter: DeadLetter | None, _error: str) -> None:
    if letter is not None:
        Export.objects.filter(pk=claim.key).update(
            state=ExportState.FAILED, code="export.failed", finished_at=timezone.now()
        )


def _work(claim: Claim) -> None:
    job = Export.objects.select_related("created_by").filter(pk=claim.key, state__in=ACTIVE).first()
    if job is None:
        return
    kind = export_kinds.get(job.kind)
    owner = job.created_by
    if owner is None or not owner.is_active or not owner.has_perm(kind.permission):
        _end(job, ExportState.FAILED, code="export.not_allowed")
        return
    open_names = job.open_names and can_see_pii(owner)
    if not open_names:  # made with a token that may less than its user
        narrow_user(owner, frozenset(owner.get_all_permissions()) - {PII_PERMISSION})
    Export.objects.filter(pk=job.pk).update(state=ExportState.RUNNING, started_at=timezone.now(), code="")
    try:
        for _beginning in range(MAX_BEGINNINGS):
            erased = erasures_so_far()
            _write(job, kind, claim, owner)
            if _finished(job, erased):
                return
        _end(job, ExportState.FAILED, code="export.erasures")
    except _Stopped:
        _end(job, ExportState.CANCELLED)


def _write(job: Export, kind: ExportKind, claim: Claim, reader: Any) -> None:
    order, cursor, rows, open_names = kind.order(), "", 0, can_see_pii(reader)
    with snapshot() as moment, written(job, kind.columns(job.parts, open_names)) as file:
        Export.objects.filter(pk=job.pk).update(as_of=moment.at, rows=0, size=0)
        while True:
            with moment.reading():
                page = keyset_page(kind.rows(job.filters, reader), order=order, cursor=cursor, size=BLOCK)
                described = kind.describe(page.rows, job.parts, open_names)
            file.add(described)
            rows, cursor = rows + len(described), page.next
            claim.renew()
            if not Export.objects.filter(pk=job.pk, stop_wanted=False).update(rows=rows, size=file.size):
                raise _Stopped
            if not cursor:
                return


@transaction.atomic
def _finished(job: Export, erased: int) -> bool:
    """Hand the file out, unless somebody was erased who may be in it: then it has to be written anew."""
    hold_off_erasures()
    if erasures_so_far() != erased:
        delete_file(job)
        return False
    now = timezone.now()
    size = path_of(job).stat().st_size
    Export.objects.filter(pk=job.pk).update(
        state=ExportState.DONE, finished_at=now, expires_at=now + lasting(), size=size
    )
    return True


def _end(job: Export, state: ExportState, *, code: str = "") -> None:
    delete_file(job)
    Export.objects.filter(pk=job.pk).update(state=state, code=code, stop_wanted=False, finished_at=timezone.now())
