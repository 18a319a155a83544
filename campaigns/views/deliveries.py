"""The decisions of a campaign: who got it, who did not, why, and exactly what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from campaigns.filters import DeliveryFilters
from campaigns.models import Delivery
from campaigns.reasons import outcome_text
from campaigns.rendering.problems import RenderFailure
from campaigns.sending.context import Copy, fill_in, template_of
from campaigns.services.testing import idle_links
from campaigns.views.common import TONES, campaign_or_404
from campaigns.views.previews import plain_page
from cdp.common.access import record_access, record_look
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from cdp.common.masking import can_see_pii
from cdp.common.sandbox import sandboxed_html
from profiles.models import Profile

MOST_FOUND = 500


class DeliveryList(ListPage):
    """The decisions of one campaign."""

    permission_required = "campaigns.view_delivery"
    template_name = "campaigns/deliveries.html"
    filters = DeliveryFilters
    columns = (
        Column(
            name="person",
            label=_("Person"),
            sort="profile_id",
            export=lambda row: row.person.uuid if row.person else "",
        ),
        Column(name="outcome", label=_("Outcome"), export=lambda row: row.outcome),
        Column(name="reason", label=_("Why"), export=lambda row: row.reason),
        Column(name="record", label=_("Consent record"), export=lambda row: row.consent_record_id),
        Column(name="at", label=_("When"), export=lambda row: row.finished_at),
    )
    search_label = _("Search by name or address")
    masked_search_label = _("The whole id of a person")
    default_sort = "person"
    key = "profile_id"
    empty = (
        _("No decisions yet"),
        _("They are made when the campaign starts: one for each person, with the reason."),
        "",
        "",
    )
    export_permission = "profiles.export_profile"
    export_action = "campaign.deliveries_exported"
    look_action = "campaign.deliveries_listed"
    export_name = "deliveries"

    def get_queryset(self) -> QuerySet[Delivery]:
        """Return the campaign's decisions."""
        return Delivery.objects.of_campaign(self.campaign_id).filter(occurrence="")

    @property
    def campaign_id(self) -> int:
        """Return the campaign's id of the address."""
        return int(self.kwargs["campaign_id"])

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Add the people and the reasons in words."""
        people = Profile.objects.in_bulk([row.profile_id for row in rows])
        for row in rows:
            row.person = people.get(row.profile_id)
            row.words = outcome_text(row.outcome, row.reason)
            row.tone = TONES[row.outcome]
        return rows

    def export_rows(self, block: list[Any]) -> list[Any]:
        """Add the people, by whose public ids the file names them."""
        return list(self.prepare(block))

    def extra_context(self) -> dict[str, Any]:
        """Return the campaign."""
        return {"campaign": campaign_or_404(self.campaign_id)}


@needs("campaigns.view_delivery")
@require_GET
def delivery_page(request: HttpRequest, campaign_id: int, key: UUID) -> HttpResponse:
    """Show one decision: the outcome, the reason, the permission, the server's reply, and the mail itself."""
    delivery = _delivery(campaign_id, key)
    person = Profile.objects.filter(pk=delivery.profile_id).first()
    record_access(
        request=request, action="delivery.viewed", object_kind="profile", object_id=str(person.uuid if person else ""),
        detail={"campaign": campaign_id},
    )  # fmt: skip
    copy = _copy(delivery) if can_see_pii(request.user) else None
    context = {
        "delivery": delivery,
        "campaign": delivery.campaign,
        "person": person,
        "words": outcome_text(delivery.outcome, delivery.reason),
        "tone": TONES[delivery.outcome],
        "shown": copy is not None,
        "subject": copy.subject if copy else "",
        "card_title": gettext("Exactly what was sent")
        if delivery.outcome in ("sent", "unknown")
        else gettext("The mail"),
        "domain": delivery.message_version.from_email.rpartition("@")[2],
        "may_see_log": request.user.has_perm("consent.view_consentrecord"),
    }
    return render(request, "campaigns/delivery.html", context)


@needs("campaigns.view_delivery")
@require_GET
def delivery_mail(request: HttpRequest, campaign_id: int, key: UUID) -> HttpResponse:
    """Draw exactly what was sent: the pinned version with the values it was filled in with; its links do nothing."""
    delivery = _delivery(campaign_id, key)
    if not can_see_pii(request.user) or not delivery.context:
        raise Http404
    record_look(request, "delivery.viewed", [Profile.objects.filter(pk=delivery.profile_id).first()])
    copy = _copy(delivery)
    if copy is None:
        words = gettext("This mail cannot be shown.")
        return sandboxed_html(f"<p>{escape(words)}</p>")
    return sandboxed_html(plain_page(copy) if request.GET.get("view") == "plain" else copy.html)


def _copy(delivery: Delivery) -> Copy | None:
    """Return the mail as it was filled in; None when nothing was, or the values are gone."""
    if "person" not in delivery.context:  # of a single send that was not handed over there is only what it came with
        return None
    try:
        return fill_in(template_of(delivery.message_version), delivery.context, idle_links(delivery.campaign.purpose))
    except RenderFailure:
        return None


def _delivery(campaign_id: int, key: UUID) -> Delivery:
    rows = Delivery.objects.select_related("campaign__purpose", "purpose_version", "message_version__message")
    found: Delivery | None = rows.filter(campaign_id=campaign_or_404(campaign_id, singles=True).pk, uuid=key).first()
    if found is None:
        raise Http404
    return found
