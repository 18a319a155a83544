"""Pages of campaigns: the list, and the one page with its four steps, which becomes the report."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as notices
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from campaigns.audience import version_of
from campaigns.checks import blocking, checks_of, forecast_of, needs_confirmation
from campaigns.filters import CampaignFilters
from campaigns.forecast import forecast_people
from campaigns.forms import PlanForm, ScheduleForm
from campaigns.models import Campaign, MessageVersion, SendQueue
from campaigns.reasons import DELIVERY_REASONS
from campaigns.report import changes_since_forecast, forecast_rows, report_of, report_rows
from campaigns.services.campaigns import create_campaign, update_campaign
from campaigns.services.testing import preview
from campaigns.views.common import campaign_or_404, chosen_person, refusal, tell
from cdp.common.access import record_look
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from profiles.models import Profile

SHOWN_PEOPLE = 200
TONES = {"draft": "", "scheduled": "accent", "sending": "accent", "paused": "warn", "done": "good", "cancelled": ""}


class CampaignList(ListPage):
    """All campaigns."""

    permission_required = "campaigns.view_campaign"
    template_name = "campaigns/campaigns.html"
    filters = CampaignFilters
    columns = (
        Column(name="name", label=_("Name"), sort="name", export=lambda row: row.name),
        Column(name="status", label=_("State"), sort="status", export=lambda row: row.status),
        Column(name="segment", label=_("To")),
        Column(name="purpose", label=_("Purpose")),
        Column(name="when", label=_("When")),
        Column(name="audience", label=_("Audience"), numeric=True),
        Column(name="changed", label=_("Changed"), sort="changed_at", descending_first=True),
    )
    search_label = _("Search by name")
    default_sort = "-changed"
    empty = (
        _("No campaigns yet"),
        _("A campaign sends one message to the people of a segment who allowed it, once each, and keeps the reasons."),
        "campaigns:campaign_new",
        _("Make a campaign"),
    )

    def get_queryset(self) -> QuerySet[Campaign]:
        """Return all campaigns with what a row shows."""
        return Campaign.objects.campaigns().select_related("segment", "purpose")

    def extra_context(self) -> dict[str, Any]:
        """Return the tones of the state chips."""
        return {"tones": TONES}


@needs("campaigns.add_campaign")
@require_http_methods(["GET", "POST"])
def campaign_new(request: HttpRequest) -> HttpResponse:
    """Make a draft."""
    form = PlanForm(
        request.POST or None, initial={key: request.GET.get(key) for key in ("segment", "message", "purpose")}
    )
    if request.method == "POST" and form.is_valid():
        try:
            campaign = create_campaign(plan=form.plan(), actor=request.user)
        except CdpError as error:
            form.add_error(error.place if error.place in form.fields else None, str(error.message))
        else:
            return redirect("campaigns:campaign", campaign.pk)
    return render(request, "campaigns/campaign_new.html", {"form": form}, status=422 if form.errors else 200)


@needs("campaigns.view_campaign")
@require_http_methods(["GET", "POST"])
def campaign_page(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Show a campaign: a draft's four steps, or how it goes; save a draft."""
    campaign = campaign_or_404(campaign_id)
    form = PlanForm(request.POST) if request.method == "POST" else PlanForm(initial=_initial(campaign))
    if request.method == "POST":
        if not request.user.has_perm("campaigns.change_campaign"):
            return render(request, "403.html", status=403)
        if form.is_valid():
            try:
                update_campaign(campaign_id=campaign.pk, plan=form.plan())
            except CdpError as error:
                tell(request, error)
            else:
                notices.success(request, gettext("Saved."))
            return redirect("campaigns:campaign", campaign.pk)
    person = chosen_person(request, "message.previewed")
    version = version_of(campaign)
    context = {
        "campaign": campaign,
        "form": form,
        "tone": TONES[campaign.status],
        "person": person,
        "subject": _subject(version, campaign, person),
        "may_change": request.user.has_perm("campaigns.change_campaign") and campaign.editable,
        "may_send": request.user.has_perm("campaigns.send_campaign"),
        "version": version,
        "excluded": _excluded(campaign),
        **_progress(campaign),
    }
    return render(request, "campaigns/campaign.html", context, status=422 if form.errors else 200)


@needs("campaigns.view_campaign")
@require_GET
def campaign_forecast(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Draw the forecast and the checks: asked for by the page once it stands, as a large base takes a second."""
    campaign = campaign_or_404(campaign_id)
    counted = forecast_of(campaign)
    checks = checks_of(campaign, counted)
    context = {
        "campaign": campaign,
        "rows": forecast_rows(campaign, counted) if counted else [],
        "people": counted.will_be_sent if counted else 0,
        "confirm": needs_confirmation(counted),
        "checks": checks,
        "blocked": bool(blocking(checks)),
        "may_send": request.user.has_perm("campaigns.send_campaign"),
        "form": ScheduleForm(),
    }
    return render(request, "campaigns/_forecast.html", context)


@needs("campaigns.view_campaign")
@require_GET
def campaign_progress(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Draw how far a campaign is; asked for every two seconds while it is under way.

    A page that waits for the start (`was=scheduled`) is told to draw itself anew once that state is over.
    """
    campaign = campaign_or_404(campaign_id)
    if was := request.GET.get("was"):
        return HttpResponse(headers={} if was == campaign.status else {"HX-Refresh": "true"})
    context = {
        "campaign": campaign,
        "tone": TONES[campaign.status],
        "may_send": request.user.has_perm("campaigns.send_campaign"),
        "polled": True,
        **_progress(campaign),
    }
    return render(request, "campaigns/_progress.html", context)


@needs("campaigns.view_campaign")
@require_GET
def campaign_people(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Show the first people behind a number of the forecast."""
    campaign = campaign_or_404(campaign_id)
    reason = request.GET.get("reason", "").replace("\x00", "")[:60]
    if not (campaign.segment_id and campaign.purpose_id):
        return refusal(request, CdpError("campaign.incomplete", gettext("Choose a segment and a purpose first.")))
    ids = forecast_people(campaign, reason, SHOWN_PEOPLE + 1)
    people = Profile.objects.in_bulk(ids[:SHOWN_PEOPLE])
    record_look(
        request, "campaign.audience_viewed", people.values(), object_kind="campaign", object_id=str(campaign.uuid),
        detail={"reason": reason},
    )  # fmt: skip
    context = {
        "campaign": campaign,
        "people": [people[key] for key in ids[:SHOWN_PEOPLE] if key in people],
        "more": len(ids) > SHOWN_PEOPLE,
        "reason": DELIVERY_REASONS.label(reason) if reason else gettext("will be sent"),
    }
    return render(request, "campaigns/campaign_people.html", context)


def _initial(campaign: Campaign) -> dict[str, Any]:
    return {
        "name": campaign.name,
        "segment": campaign.segment_id,
        "exclude": campaign.exclude_segment_ids,
        "purpose": campaign.purpose_id,
        "message": campaign.message_id,
        "necessary_because": campaign.necessary_because,
    }


def _subject(version: MessageVersion | None, campaign: Campaign, person: Profile | None) -> str:
    """Return the subject as the person sees it; as written when it cannot be filled in (the frame says why)."""
    if version is None:
        return ""
    try:
        return preview(version=version, purpose=campaign.purpose, profile=person)[0].subject
    except CdpError:
        return version.subject


def _excluded(campaign: Campaign) -> list[str]:
    from_ids = PlanForm().fields["exclude"].queryset  # type: ignore[attr-defined]  # a model choice field
    return [row.name for row in from_ids.filter(pk__in=campaign.exclude_segment_ids)]


def _progress(campaign: Campaign) -> dict[str, Any]:
    """Return the figures of a campaign that has begun; nothing for one that has not."""
    if campaign.audience_built_at is None:
        return {"report": None}
    report = report_of(campaign)
    handing_over = SendQueue.objects.filter(campaign_id=campaign.pk, phase="handing_over").count()
    pending = report.tally.of("pending")
    return {
        "report": report,
        "rows": report_rows(campaign, report),
        "changes": changes_since_forecast(campaign, report) if campaign.ended else [],
        "decided": report.total - pending,
        "pending": pending,
        "sent": report.tally.of("sent"),
        "unknown": report.tally.of("unknown") if campaign.decisions_removed_at is None else 0,
        "handing_over": handing_over,
    }
