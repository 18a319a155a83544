"""The queue of lists: all that were found, those of an import, the members of a segment. Worked at in blocks."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from cdp.common.counting import COUNT_CAP, capped_count
from cdp.common.errors import CdpError
from cdp.common.faults import persist
from cdp.common.models import DeadLetter
from cdp.common.queue_items import Claim, put, work_items
from cdp.common.queues import Run
from profiles.filters import ProfileFilters
from profiles.models import Import, ImportRow, Profile
from profiles.models.imports import ImportState
from segments.list_members import Told
from segments.models import ListJob, Membership
from segments.services.lists import JOBS, add_people

BLOCK = 1_000
#: an import that is still to be committed is asked after so many seconds
PATIENCE_SECONDS = 8
_OPEN = (ListJob.State.WAITING, ListJob.State.RUNNING)
_WAITING = """
SELECT count(*), extract(epoch FROM now() - min(q.due_at))::float FROM common_queueitem q
WHERE q.queue = %s AND q.due_at <= now() AND q.holder IS NULL
"""
#: these have people of whom a list could be made, now or later
_COMING = (ImportState.READY, ImportState.RUNNING, ImportState.PAUSED)
_THROUGH = (ImportState.DONE, ImportState.CANCELLED)
_WRITTEN = ("created", "updated", "unchanged")


class _Asker:
    """Whoever had people put in a list: only readers who see names can."""

    is_authenticated = is_active = True

    def has_perm(self, _permission: str, _thing: object = None) -> bool:
        """Say yes."""
        return True


def work_lists(run: Run) -> int:
    """Work at what is due, job by job; return how many were worked at."""
    return work_items(run, lambda claim: _work(run, claim), on_failure=_note_failure)


def measure() -> tuple[int, float | None]:
    """Return how many jobs are due and nobody is at, and for how long the first has been."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [JOBS])
        count, age = cursor.fetchone()
    return count, age


def retry_job(letter: DeadLetter) -> None:
    """Go on with a job that was given up; those that ended otherwise are left alone."""
    if ListJob.objects.filter(pk=int(letter.key), reason="failed").update(state="waiting", reason="", finished_at=None):
        put(JOBS, [int(letter.key)])


def found(params: dict[str, str]) -> Any:
    """Return the people whom these filters of the list of people find; `q` is the text of its search box."""
    asked = {name: params.get(name, "") for name in ProfileFilters.base_filters}
    asker = SimpleNamespace(user=_Asker())
    return ProfileFilters({**asked, "search": params.get("q", "")}, request=asker).narrow(Profile.objects.listed())


def imported(import_id: int) -> Any:
    """Return the rows of an import that were written, or needed no writing, each with its person."""
    done = Import.objects.filter(pk=import_id).values("done_line")[:1]
    rows = ImportRow.objects.filter(import_id=import_id, outcome__in=_WRITTEN, line__lte=done)
    return rows.exclude(profile_id=None)


def _work(run: Run, claim: Claim) -> None:
    job = ListJob.objects.select_related("segment").filter(pk=claim.key, state__in=_OPEN).first()
    if job is None:
        return
    if job.what == "import" and not _import_is_through(job):
        if job.state in _OPEN:
            claim.give_back(seconds=PATIENCE_SECONDS)
        return
    if job.state == ListJob.State.WAITING:
        job.state, job.total = ListJob.State.RUNNING, _total(job)
        job.save(update_fields=["state", "total"])
    while _step(job):
        if not run.goes_on:
            claim.give_back()  # the next run goes on after the last block
            return
        claim.renew(progress=True)


def _import_is_through(job: ListJob) -> bool:
    """Tell whether an import was committed; the job stops when it never will be."""
    state = Import.objects.filter(pk=job.params["import"]).values_list("state", flat=True).first()
    if state in _THROUGH:
        return True
    if state not in _COMING:
        _stop(job, "import_stopped")
    return False


def _total(job: ListJob) -> int | None:
    """Return how many people it will be; None when there are too many to count while somebody waits."""
    rows = _NEXT[job.what](job)
    count = capped_count(rows, cap=COUNT_CAP * 100)
    return count if count <= COUNT_CAP * 100 else None


def _next_found(job: ListJob) -> Any:
    return found(job.params).filter(pk__gt=job.after, pk__lte=job.upto).order_by("pk").values_list("pk", "pk")


def _next_imported(job: ListJob) -> Any:
    rows = imported(job.params["import"]).filter(line__gt=job.after)
    return rows.order_by("line").values_list("line", "profile_id")


def _next_copied(job: ListJob) -> Any:
    rows = Membership.objects.filter(segment_id=job.params["segment"], profile_id__gt=job.after)
    return rows.filter(profile_id__lte=job.upto).order_by("profile_id").values_list("profile_id", "profile_id")


_NEXT: dict[str, Callable[[ListJob], Any]] = {"found": _next_found, "import": _next_imported, "copy": _next_copied}


def _step(job: ListJob) -> bool:
    """Put the next block in, one transaction; return whether there was any."""
    rows = list(_NEXT[job.what](job)[:BLOCK])
    if not rows:
        _end(job, ListJob.State.DONE)
        return False
    people = {profile_id for _place, profile_id in rows}
    if job.what == "import":
        people = _as_they_are_now(people)
    try:
        told = persist(lambda: _write(job, people, rows[-1][0], len(rows)))
    except CdpError as error:
        _stop(job, error.code)
        return False
    job.after, job.done = rows[-1][0], job.done + len(rows)
    job.added, job.already = job.added + len(told.added), job.already + len(told.already)
    return True


def _as_they_are_now(people: set[int]) -> set[int]:
    """Return whoever these people are since the import was committed."""
    rows = Profile.objects.filter(pk__in=people).values_list("pk", "merged_into_id")
    return {merged or pk for pk, merged in rows}


@transaction.atomic
def _write(job: ListJob, people: set[int], after: int, count: int) -> Told:
    """Put a block in and note how far the job is; `job` itself is told when that is committed."""
    reference = f"import:{job.params['import']}" if job.what == "import" else ""
    told = add_people(segment=job.segment, profile_ids=people, cause=job.what, actor=job.actor, reference=reference)
    ListJob.objects.filter(pk=job.pk).update(
        after=after, done=job.done + count, added=job.added + len(told.added), already=job.already + len(told.already)
    )
    return told


def _end(job: ListJob, state: str, reason: str = "") -> None:
    """Close a job; what was searched for may name a person, and is kept no longer than needed."""
    job.state, job.reason, job.finished_at = state, reason, timezone.now()
    job.params = {key: value for key, value in job.params.items() if key in ("import", "segment")}
    job.save(update_fields=["state", "reason", "finished_at", "params"])


def _stop(job: ListJob, reason: str) -> None:
    _end(job, ListJob.State.STOPPED, reason)


def _note_failure(claim: Claim, letter: DeadLetter | None, _error: str) -> None:
    if letter is not None:
        ListJob.objects.filter(pk=claim.key, state__in=_OPEN).update(
            state=ListJob.State.STOPPED, reason="failed", finished_at=timezone.now()
        )
