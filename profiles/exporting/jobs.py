"""Ask for an export, cancel it, and let go of its file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError, NotAllowed
from cdp.common.exports import ExportKind, export_kinds
from cdp.common.masking import Reader, can_see_pii
from cdp.common.queue_items import put
from cdp.common.retention import Position, Step, Survey, period_of
from cdp.common.wake import wake
from profiles.exporting.files import delete_file, stored_files
from profiles.models import Export
from profiles.models.export import ExportFormat, ExportState

NAME, TASK = "exports", "profiles.run_export"
ACTIVE = (ExportState.WAITING, ExportState.RUNNING)
#: exports that wait or run, of one user
MAX_ACTIVE = 5
DEFAULT_DAYS = 7


@transaction.atomic
def create_export(
    *, kind: str, format: str, filters: Mapping[str, str], parts: Sequence[str] | None, actor: Any
) -> Export:
    """Queue an export; `parts` None is all that the actor may have. Raises CdpError naming what cannot be."""
    if kind not in export_kinds.names():
        known = ", ".join(export_kinds.names())
        raise CdpError(
            "export.unknown_kind", _("There is no such export; there are: %(known)s.") % {"known": known}, place="kind"
        )
    if format not in ExportFormat.values:
        raise CdpError("export.unknown_format", _("An export is ndjson or csv."), place="format")
    chosen = export_kinds.get(kind)
    if not actor.has_perm(chosen.permission):
        raise NotAllowed(_("You may not export these."))
    chosen.rows(filters, actor)  # raises for filters that it cannot take
    # How many rows there are would tell whether somebody did what nobody may read.
    if "name" in filters and not Reader(actor).shows_event(filters["name"]):
        raise NotAllowed(_("You may not export these."))
    if Export.objects.filter(created_by=actor, state__in=ACTIVE).count() >= MAX_ACTIVE:
        raise CdpError(
            "export.too_many",
            _("%(limit)s of your exports wait or run already; let one end first.") % {"limit": MAX_ACTIVE},
            status=429,
        )
    job = Export.objects.create(
        kind=kind,
        format=format,
        filters=dict(filters),
        parts=_checked_parts(chosen, parts, actor),
        open_names=can_see_pii(actor),
        created_by=actor,
    )
    put(NAME, [job.pk])
    wake(TASK)
    return job


def _checked_parts(kind: ExportKind, given: Sequence[str] | None, actor: Any) -> list[str]:
    known, needs = list(kind.parts()), kind.part_permissions()
    if given is None:
        return [name for name in known if name not in needs or actor.has_perm(needs[name])]
    for name in given:
        if name not in known:
            raise CdpError(
                "export.unknown_part",
                _("There is no part “%(name)s” here. Parts are: %(known)s.")
                % {"name": name[:60], "known": ", ".join(known) or "-"},
                place="include",
            )
        if name in needs and not actor.has_perm(needs[name]):
            raise NotAllowed(_("You may not see the part “%(name)s”.") % {"name": name})
    return list(dict.fromkeys(given))


@transaction.atomic
def cancel_export(*, export_id: int) -> Export:
    """Stop an export, or delete the file of one that is done; idempotent."""
    job = Export.objects.select_for_update().get(pk=export_id)
    if job.state == ExportState.WAITING:
        job.state, job.finished_at = ExportState.CANCELLED, timezone.now()
    elif job.state == ExportState.RUNNING:
        job.stop_wanted = True
    elif job.state == ExportState.DONE:
        job.state, job.code = ExportState.EXPIRED, "export.deleted"
        transaction.on_commit(lambda: delete_file(job))
    job.save(update_fields=["state", "stop_wanted", "finished_at", "code"])
    return job


def forget_files(*, code: str) -> int:
    """Delete all finished files, inside the caller's transaction: somebody in them may be in none any more."""
    jobs = list(Export.objects.filter(state=ExportState.DONE))
    Export.objects.filter(pk__in=[job.pk for job in jobs]).update(state=ExportState.EXPIRED, code=code)
    transaction.on_commit(lambda: _delete_files(jobs))
    return len(jobs)


def _delete_files(jobs: Collection[Export]) -> None:
    for job in jobs:
        delete_file(job)


def lasting() -> timedelta:
    """Return how long a finished file is kept."""
    return timedelta(days=period_of("exports") or DEFAULT_DAYS)


# Retention ---------------------------------------------------------------------------------------------------------
def remove_exports(before: datetime, limit: int, _position: Position) -> Step:
    """Delete exports that ended before, and files that no export knows."""
    jobs = list(_ended().filter(finished_at__lt=before).order_by("finished_at")[:limit])
    Export.objects.filter(pk__in=[job.pk for job in jobs]).delete()
    transaction.on_commit(lambda: _delete_files(jobs))
    known = {str(uuid) for uuid in Export.objects.values_list("uuid", flat=True)}
    for path, changed_at in stored_files():
        if changed_at < before and path.stem not in known:
            path.unlink(missing_ok=True)
    return Step(len(jobs), {} if len(jobs) == limit else None)


def survey_exports(before: datetime) -> Survey:
    """Count the exports past their time."""
    oldest = _ended().order_by("finished_at").values_list("finished_at", flat=True).first()
    return Survey(_ended().filter(finished_at__lt=before).count(), oldest)


def _ended() -> Any:
    return Export.objects.exclude(state__in=ACTIVE).filter(finished_at__isnull=False)
