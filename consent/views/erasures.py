"""The receipt of an erasure: what was removed, what of others was changed, and what was not reached."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from cdp.common.access import record_look
from cdp.common.guards import needs
from cdp.common.reasons import reason_text
from consent.mentions import Place, table_label
from consent.models import Erasure
from profiles.models import Import, Profile


@needs("consent.view_consentrecord")
@require_GET
def receipt(request: HttpRequest, erasure_id: int) -> HttpResponse:
    """Draw the receipt."""
    row = get_object_or_404(Erasure, pk=erasure_id)
    left: dict[str, Any] = row.left
    people = list(Profile.objects.filter(uuid__in=left.get("people", ()), erased_at=None).order_by("pk"))
    record_look(request, "erasure.viewed", people, object_kind="erasure", object_id=str(row.pk))
    context = {
        "row": row,
        "removed": [(table_label(table), count) for table, count in sorted(row.counts.items()) if count],
        "notes": [reason_text(note["code"], note["params"]) for note in row.notes],
        "left": left,
        "found": [(Place(table, column).label, rows) for table, column, rows in left.get("found", ())],
        "unsearched": sorted({table_label(table) for table, _column in left.get("unsearched", ())}),
        "people": people,
        "imports": Import.objects.filter(pk__in=left.get("imports", ())).order_by("pk"),
    }
    return render(request, "consent/erasure.html", context)
