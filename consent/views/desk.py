"""The privacy desk: what happened lately, and whether the ledger is whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from cdp.common.counting import capped_count
from consent.models import ConsentRecord, Erasure, LedgerSeal, Suppression
from consent.models.ledger import State
from consent.querysets.records import with_people
from consent.services.sealing import seal_ledger, verify_ledger

LATEST = 10
#: how far the ids of records may lag behind their time: those of transactions that ran at once
AT_ONCE = 100_000


@login_required
@permission_required("consent.view_consentrecord", raise_exception=True)
@require_GET
def desk(request: HttpRequest) -> HttpResponse:
    """Draw the desk."""
    week = timezone.now() - timedelta(days=7)
    recent = ConsentRecord.objects.filter(recorded_at__gte=week)
    # Ids follow the time of recording, but for what ran at once: so the index of a state can end the count there.
    first = recent.order_by("recorded_at", "pk").values_list("pk", flat=True).first()
    recent = recent.filter(pk__gte=first - AT_ONCE) if first is not None else recent.none()
    noes = ConsentRecord.objects.filter(state__in=[State.WITHDRAWN, State.OBJECTED]).exclude(method="merge")
    context: dict[str, Any] = {
        "figures": [
            {"state": state.value, "label": state.label, "count": capped_count(recent.filter(state=state))}
            for state in (State.GIVEN, State.WITHDRAWN, State.OBJECTED)
        ],
        "suppressed": capped_count(Suppression.objects.filter(created_at__gte=week, lifted_at=None)),
        "noes": with_people(list(noes.select_related("purpose").order_by("-pk")[:LATEST])),
        "erasures": Erasure.objects.order_by("-at")[:LATEST],
        "seal": LedgerSeal.objects.order_by("-pk").first(),
        "unsealed": _unsealed(),
    }
    return render(request, "consent/desk.html", context)


@login_required
@permission_required("consent.view_consentrecord", raise_exception=True)
@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    """Seal what is new and verify the whole ledger now."""
    try:
        seal_ledger()
        problems = verify_ledger()
    except OperationalError:
        messages.error(
            request,
            _(
                "The ledger is too busy or too large to verify within a page. "
                "It is verified every day by itself; or run manage.py verify_ledger."
            ),
        )
        return redirect("consent:desk")
    if problems:
        messages.error(request, _("The ledger was altered: %(count)s places. See below.") % {"count": len(problems)})
    else:
        messages.success(
            request, _("Every record, chain, text, piece of evidence and seal was checked: the ledger is whole.")
        )
    return redirect("consent:desk")


def _unsealed() -> int:
    last = LedgerSeal.objects.order_by("-pk").values_list("to_id", flat=True).first() or 0
    return capped_count(ConsentRecord.objects.filter(pk__gt=last))
