"""The consent log: every statement, newest first, and the evidence of each. Nothing here can be changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from cdp.common.access import record_access
from cdp.common.lists import Column, Filter, ListPage
from consent.models import Channel, ConsentChain, ConsentRecord, LedgerSeal, Purpose
from consent.models.ledger import Method, State
from consent.policy.verification import check_entry
from consent.querysets.records import of_person, with_people
from consent.services.ledger_rows import load_digests, read_chain
from profiles.models import Profile, Source

#: records of one chain that a page verifies, and records of one topic that it lists
LONGEST_CHAIN, LONGEST_LIST = 2000, 200
PERIODS = [("1", _("last day")), ("7", _("last 7 days")), ("30", _("last 30 days")), ("365", _("last year"))]
ACTORS = [
    ("subject", _("the person")),
    ("user:", _("a user")),
    ("token:", _("an API token")),
    ("source:", _("a source")),
    ("system:", _("a rule")),
]


def purpose_choices(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the purposes as choices."""
    return [(str(purpose.pk), purpose.name) for purpose in Purpose.objects.all()[:200]]


def source_choices(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the sources as choices."""
    return [(str(source.pk), source.name) for source in Source.objects.order_by("name")[:200]]


class LedgerList(ListPage):
    """The log."""

    permission_required = "consent.view_consentrecord"
    template_name = "consent/log.html"
    columns = (
        Column(name="id", label=_("Record"), sort="id", numeric=True, export=lambda row: row.pk),
        Column(name="recorded", label=_("Recorded"), export=lambda row: row.recorded_at.isoformat()),
        Column(name="person", label=_("Person"), export=lambda row: row.profile_id),
        Column(name="purpose", label=_("Purpose"), export=lambda row: row.purpose.slug),
        Column(name="channel", label=_("Channel"), export=lambda row: row.channel),
        Column(name="state", label=_("Said"), export=lambda row: row.state),
        Column(name="method", label=_("How"), export=lambda row: row.method),
        Column(name="actor", label=_("By"), export=lambda row: row.actor),
        Column(name="proof", label=_("Proof"), export=lambda row: row.proof),
    )
    filters = (
        Filter(
            name="purpose",
            label=_("Purpose"),
            choices=purpose_choices,
            apply=lambda rows, value: rows.filter(purpose_id=int(value)),
        ),
        Filter(
            name="channel",
            label=_("Channel"),
            choices=Channel.choices,
            apply=lambda rows, value: rows.filter(channel=value),
        ),
        Filter(
            name="state",
            label=_("Said"),
            choices=State.choices,
            apply=lambda rows, value: rows.filter(state=value),
        ),
        Filter(
            name="method", label=_("How"), choices=Method.choices, apply=lambda rows, value: rows.filter(method=value)
        ),
        Filter(
            name="source",
            label=_("Source"),
            choices=source_choices,
            apply=lambda rows, value: rows.filter(source_id=int(value)),
        ),
        Filter(
            name="actor", label=_("By"), choices=ACTORS, apply=lambda rows, value: rows.filter(actor__startswith=value)
        ),
        Filter(
            name="period",
            label=_("Period"),
            choices=PERIODS,
            apply=lambda rows, value: rows.filter(recorded_at__gte=timezone.now() - timedelta(days=int(value))),
        ),
    )
    default_sort = "-id"
    export_permission = "consent.view_consentrecord"
    export_action = "consent.log_exported"
    export_name = "consent-log"
    search_label = _("ID of a person, or a reference")
    empty: ClassVar[tuple[Any, Any, str, Any]] = (
        _("Nothing was said yet"),
        _(
            "Here stands every permission that was given, refused or withdrawn, with the words people saw. "
            "Begin with a purpose."
        ),
        "consent:purposes",
        _("Define a purpose"),
    )

    def get_queryset(self) -> QuerySet[ConsentRecord]:
        """Return all records, or those of one version of the words."""
        rows = ConsentRecord.objects.select_related("purpose", "text")
        text = self.request.GET.get("text", "")
        return rows.filter(text_id=int(text)) if text.isascii() and text.isdigit() and len(text) < 18 else rows

    def search(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        """Find by the public id of a person, or by the reference (delivery:…, import:…, message:…)."""
        if ":" in text:
            return rows.filter(reference=text)
        try:
            profile = Profile.objects.filter(uuid=text).first()
        except ValidationError:
            return rows.none()
        return of_person(rows, profile.pk) if profile is not None else rows.none()

    def prepare(self, rows: Any) -> Any:
        """Add the people."""
        return with_people(rows)


@login_required
@permission_required("consent.view_consentrecord", raise_exception=True)
@require_GET
def record(request: HttpRequest, record_id: int) -> HttpResponse:
    """Show the evidence of a record, and check its chain on the spot."""
    rows = ConsentRecord.objects.select_related("purpose", "purpose_version", "text", "evidence", "source")
    row = get_object_or_404(rows, pk=record_id)
    with_people([row])
    digests = load_digests()
    history = read_chain(row.identifier_id, digests, LONGEST_CHAIN)
    problems = [problem for entry in history for problem in check_entry(entry, digests)]
    head = ConsentChain.objects.filter(identifier_id=row.identifier_id).first()
    last = history[-1]
    ends_well = head is not None and (last.link.position, last.hash) == (head.position, head.head)
    same_topic = ConsentRecord.objects.filter(purpose_id=row.purpose_id, channel=row.channel)
    if row.person is not None:  # type: ignore[attr-defined]  # set by with_people
        same_topic = of_person(same_topic, row.person.pk)  # type: ignore[attr-defined]
    else:
        same_topic = same_topic.filter(identifier_id=row.identifier_id)
    record_access(request=request, action="consent.evidence_viewed", object_kind="consentrecord", object_id=str(row.pk))
    context = {
        "row": row,
        "evidence": getattr(row, "evidence", None),
        "chain_length": len(history),
        "verified": not problems and (ends_well or len(history) == LONGEST_CHAIN),
        "problems": problems,
        "seal": LedgerSeal.objects.filter(from_id__lte=row.pk, to_id__gte=row.pk).first(),
        "because": ConsentRecord.objects.filter(pk=row.because_id).first() if row.because_id else None,
        "later": same_topic.order_by("recorded_at", "pk")[:LONGEST_LIST],
    }
    return render(request, "consent/record.html", context)
