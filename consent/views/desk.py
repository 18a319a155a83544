"""The privacy desk: what happened lately, and whether the ledger is whole."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import OperationalError
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from cdp.common.access import record_look
from cdp.common.counting import capped_count
from cdp.common.guards import needs
from consent.ledger_watch import ledger_state
from consent.models import ConsentRecord, Erasure, LedgerCheck, LedgerSeal, Suppression
from consent.models.ledger import State
from consent.querysets.records import with_people
from consent.services.sealing import seal_ledger
from consent.services.verifying import request_check

LATEST = 10
#: how far the ids of records may lag behind their time: those of transactions that ran at once
AT_ONCE = 100_000


@needs("consent.view_consentrecord")
@require_GET
def desk(request: HttpRequest) -> HttpResponse:
    """Draw the desk."""
    week = timezone.now() - timedelta(days=7)
    recent = ConsentRecord.objects.filter(recorded_at__gte=week)
    # Ids follow the time of recording, but for what ran at once: so the index of a state can end the count there.
    first = recent.order_by("recorded_at", "pk").values_list("pk", flat=True).first()
    recent = recent.filter(pk__gte=first - AT_ONCE) if first is not None else recent.none()
    undone = ConsentRecord.objects.filter(
        identifier_id=OuterRef("identifier_id"), because_id=OuterRef("pk"), state=State.INVALIDATED
    )
    said_no = ConsentRecord.objects.filter(state__in=[State.WITHDRAWN, State.OBJECTED]).exclude(method="merge")
    noes = said_no.filter(~Exists(undone))
    newest = with_people(list(noes.select_related("purpose").order_by("-pk")[:LATEST]))
    record_look(request, "consent.desk_viewed", [getattr(row, "person", None) for row in newest])
    context: dict[str, Any] = {
        "figures": [
            {"state": state.value, "label": state.label, "count": capped_count(recent.filter(state=state))}
            for state in (State.GIVEN, State.WITHDRAWN, State.OBJECTED)
        ],
        "suppressed": capped_count(Suppression.objects.filter(created_at__gte=week, lifted_at=None)),
        "noes": newest,
        "erasures": Erasure.objects.order_by("-at")[:LATEST],
        **integrity_context(),
    }
    return render(request, "consent/desk.html", context)


def integrity_context() -> dict[str, Any]:
    """Return what is known of the ledger's integrity, and the verifications under way."""
    under_way = list(LedgerCheck.objects.filter(finished_at=None).order_by("-whole", "pk"))
    return {
        "ledger": ledger_state(),
        "seal": LedgerSeal.objects.order_by("-pk").first(),
        "unsealed": _unsealed(),
        "checks": [{"check": check, "share": _share(check)} for check in under_way],
        "last_whole": LedgerCheck.objects.filter(whole=True).exclude(finished_at=None).order_by("-pk").first(),
    }


def _share(check: LedgerCheck) -> int:
    """Return how much of the present phase is done, of 100; only of records is it known."""
    span = check.to_id - check.from_id + 1
    if check.phase != LedgerCheck.Phase.RECORDS or span <= 0:
        return 100
    return max(0, min(100, (check.cursor - check.from_id + 1) * 100 // span))


@needs("consent.view_consentrecord")
@require_GET
def integrity(request: HttpRequest) -> HttpResponse:
    """Draw the card of the ledger's integrity, which follows a verification under way."""
    return render(request, "consent/_integrity.html", integrity_context())


@needs("consent.view_consentrecord")
@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    """Ask for a verification of the whole ledger in the background."""
    with suppress(OperationalError):  # busy: what is not sealed is looked at too, but for its seal
        seal_ledger()
    request_check(whole=True, actor=request.user)
    messages.success(request, _("The whole ledger is being verified. You can leave this page; the result stands here."))
    return redirect("consent:desk")


def _unsealed() -> int:
    last = LedgerSeal.objects.order_by("-pk").values_list("to_id", flat=True).first() or 0
    return capped_count(ConsentRecord.objects.filter(pk__gt=last))
