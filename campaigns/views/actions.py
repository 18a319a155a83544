"""What can be done with a campaign: each a POST, one service, back to its page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages as notices
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from campaigns.audience import version_of
from campaigns.forms import ScheduleForm
from campaigns.services.campaigns import (
    cancel_campaign,
    pause_campaign,
    resend_unknown,
    resume_campaign,
    schedule_campaign,
    unschedule_campaign,
)
from campaigns.services.testing import send_test
from campaigns.views.common import campaign_or_404, chosen_person, own_address, tell
from cdp.common.errors import CdpError
from cdp.common.guards import needs


def _action(work: Callable[[HttpRequest, int], str]) -> Any:
    """Decorate the body of an action: permission, refusals as notices, back to the page."""

    @needs("campaigns.send_campaign")
    @require_POST
    def view(request: HttpRequest, campaign_id: int) -> HttpResponse:
        campaign = campaign_or_404(campaign_id)
        try:
            notices.success(request, work(request, campaign.pk))
        except CdpError as error:
            tell(request, error)
        return redirect("campaigns:campaign", campaign.pk)

    view.__doc__ = work.__doc__
    view.__name__ = work.__name__
    return view


@_action
def schedule(request: HttpRequest, campaign_id: int) -> str:
    """Put a draft on the schedule, or send it now."""
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        name, words = next(iter(form.errors.items()))
        raise CdpError("campaign.schedule_invalid", str(words[0]), place=str(form.fields[name].label or name))
    data = form.cleaned_data
    campaign = schedule_campaign(
        campaign_id=campaign_id,
        actor=request.user,
        local_time=data["local_time"] if data["when"] == "at" else "",
        time_zone=data["time_zone"],
        confirm=data["confirm"],
    )
    return _("Scheduled.") if campaign.local_time else _("On its way.")


@_action
def unschedule(request: HttpRequest, campaign_id: int) -> str:
    """Take a campaign off the schedule."""
    unschedule_campaign(campaign_id=campaign_id)
    return _("Taken off the schedule; it is a draft again.")


@_action
def pause(request: HttpRequest, campaign_id: int) -> str:
    """Hold a campaign."""
    pause_campaign(campaign_id=campaign_id)
    return _("Paused. Messages that were being handed over are finished; the others wait.")


@_action
def resume(request: HttpRequest, campaign_id: int) -> str:
    """Go on with a campaign."""
    resume_campaign(campaign_id=campaign_id)
    return _("Sending goes on.")


@_action
def cancel(request: HttpRequest, campaign_id: int) -> str:
    """Stop a campaign for good."""
    _campaign, people = cancel_campaign(campaign_id=campaign_id)
    return ngettext(
        "Cancelled: %(people)s unsent message stopped.", "Cancelled: %(people)s unsent messages stopped.", people
    ) % {"people": people}


@_action
def resend(request: HttpRequest, campaign_id: int) -> str:
    """Send again to those of whom nobody can know."""
    try:
        confirm = int(request.POST.get("people", ""))
    except ValueError:
        raise CdpError("campaign.count_changed", _("Say how many people it is.")) from None
    people = resend_unknown(campaign_id=campaign_id, confirm=confirm)
    return ngettext("%(people)s message is sent again.", "%(people)s messages are sent again.", people) % {
        "people": people
    }


@_action
def test(request: HttpRequest, campaign_id: int) -> str:
    """Send the campaign's message to the reader's own address."""
    campaign = campaign_or_404(campaign_id)
    version = version_of(campaign)
    if version is None:
        raise CdpError("campaign.no_message", _("Choose a message first."))
    send_test(
        version=version,
        purpose=campaign.purpose,
        to=own_address(request),
        profile=chosen_person(request, "message.tested"),
    )
    return _("The test went to %(address)s.") % {"address": own_address(request)}
