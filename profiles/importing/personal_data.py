"""What imports hold of a person: the rows of files; and the line on the timeline about the file that made them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from cdp.common.registry import TimelineEntry
from profiles.importing.clearing import clear_person, clear_rows_naming
from profiles.models import Import, ImportRow, Profile
from profiles.models.imports import ImportState


def entries(profile_id: int, before: datetime | None, limit: int, kinds: set[str] | None) -> list[TimelineEntry]:
    """Tell which file made a person. What files changed later stands among the trait changes."""
    if kinds and "change" not in kinds:
        return []
    rows = ImportRow.objects.filter(profile_id=profile_id, outcome="created").values_list("import_id", "line")[:limit]
    lines = dict(rows)
    jobs = Import.objects.filter(pk__in=lines).exclude(state__in=(ImportState.READY, ImportState.UNDONE))
    made = Profile.objects.filter(pk=profile_id).values_list("created_at", flat=True).first()
    if made is None or (before is not None and made >= before):
        return []
    return [
        TimelineEntry(
            at=made,
            kind="change",
            title=_("Came in with a file"),
            detail=job.name,
            url=reverse("profiles:import", args=[job.pk]),
            meta=(_("line %(line)s") % {"line": lines[job.pk]},),
        )
        for job in jobs
    ]


def collect(profile_id: int) -> dict[str, Any]:
    """Return the rows of files that speak of a person."""
    rows = ImportRow.objects.filter(profile_id=profile_id).order_by("import_id", "line")
    names = dict(Import.objects.filter(pk__in={row.import_id for row in rows}).values_list("pk", "name"))
    return {
        "rows": [
            {
                "file": names.get(row.import_id, ""),
                "line": row.line,
                "outcome": row.outcome,
                "data": row.data,
                "changes": row.changes,
            }
            for row in rows
        ]
    }


def erase(profile_id: int) -> dict[str, int]:
    """Empty the rows that came to a person."""
    return {"profiles_importrow": clear_person(profile_id)}


def prepare(profile_id: int) -> dict[str, int]:
    """Empty the rows that came to nobody and name the person."""
    return {"profiles_importrow": clear_rows_naming(profile_id)}
