"""The consent log: every statement, newest first, and the evidence of each. Nothing here can be changed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from cdp.common.access import record_look
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from consent.filters import RecordFilters
from consent.models import ConsentChain, ConsentRecord, LedgerSeal
from consent.models.ledger import State
from consent.policy.verification import check_entry
from consent.querysets.records import of_person, with_people
from consent.services.ledger_rows import load_digests, read_chain

#: records of one chain that a page verifies, and records of one topic that it lists
LONGEST_CHAIN, LONGEST_LIST = 2000, 200


class LedgerList(ListPage):
    """The log."""

    permission_required = "consent.view_consentrecord"
    template_name = "consent/log.html"
    filters = RecordFilters
    columns = (
        Column(name="id", label=_("Record"), sort="id", numeric=True, export=lambda row: row.pk),
        Column(name="recorded", label=_("Recorded"), export=lambda row: row.recorded_at.isoformat()),
        Column(name="person", label=_("Person"), export=lambda row: getattr(row.person, "uuid", "")),
        Column(name="purpose", label=_("Purpose"), export=lambda row: row.purpose.slug),
        Column(name="channel", label=_("Channel"), export=lambda row: row.channel),
        Column(name="state", label=_("Said"), export=lambda row: row.state),
        Column(name="method", label=_("How"), export=lambda row: row.method),
        Column(name="actor", label=_("By"), export=lambda row: row.actor),
        Column(name="proof", label=_("Proof"), export=lambda row: row.proof),
    )
    default_sort = "-id"
    export_permission = "consent.view_consentrecord"
    export_action = "consent.log_exported"
    look_action = "consent.log_read"
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
        """Return all records."""
        return ConsentRecord.objects.select_related("purpose", "text")

    def prepare(self, rows: Any) -> Any:
        """Add the people."""
        return with_people(rows)

    def export_rows(self, block: list[Any]) -> list[Any]:
        """Add the people, by whose public ids the file names them."""
        return list(with_people(block))


def invalidating(row: ConsentRecord) -> ConsentRecord | None:
    """Return the record that says that this one does not count."""
    said = ConsentRecord.objects.filter(identifier_id=row.identifier_id, state=State.INVALIDATED, because_id=row.pk)
    return said.first()


@needs("consent.view_consentrecord")
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
    record_look(
        request, "consent.evidence_viewed", [row.person],  # type: ignore[attr-defined]  # set by with_people
        object_kind="consentrecord", object_id=str(row.uuid), even_nobody=True,
    )  # fmt: skip
    context = {
        "row": row,
        "evidence": getattr(row, "evidence", None),
        "chain_length": len(history),
        "verified": not problems and (ends_well or len(history) == LONGEST_CHAIN),
        "problems": problems,
        "seal": LedgerSeal.objects.filter(from_id__lte=row.pk, to_id__gte=row.pk).first(),
        "invalidated_by": invalidating(row),
        "because": ConsentRecord.objects.filter(pk=row.because_id).first() if row.because_id else None,
        "later": same_topic.order_by("recorded_at", "pk")[:LONGEST_LIST],
    }
    return render(request, "consent/record.html", context)
