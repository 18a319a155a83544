"""What the pages of this app share."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from cdp.common.access import record_look
from cdp.common.errors import CdpError
from cdp.common.masking import can_see_pii
from profiles.models import Profile

#: of the chip of an outcome
TONES = {"sent": "good", "skipped": "", "failed": "bad", "unknown": "warn", "cancelled": "", "pending": "accent"}


def campaign_or_404(campaign_id: int, *, singles: bool = False) -> Campaign:
    """Return a campaign with its parts; an id beyond 64 bits is none of ours.

    What single sends share is no campaign that anybody could open; with `singles` it is found too.
    """
    if campaign_id >= 2**63:
        raise Http404
    rows = Campaign.objects.all() if singles else Campaign.objects.campaigns()
    rows = rows.select_related(
        "purpose", "segment", "message__current_version", "message_version__message", "segment_version", "created_by"
    )
    campaign: Campaign = get_object_or_404(rows, pk=campaign_id)
    return campaign


def chosen_person(request: HttpRequest, purpose: str) -> Profile | None:
    """Return the person named by `person` in the query or form, noting the look.

    Readers who may not see names get nobody: they preview with the sample person.
    """
    text = request.POST.get("person") or request.GET.get("person") or ""
    if not text or not can_see_pii(request.user):
        return None
    try:
        key = UUID(text)
    except ValueError:
        return None
    profile = Profile.objects.alive().filter(uuid=key).first()
    record_look(request, purpose, [profile])
    return profile


def own_address(request: HttpRequest) -> str:
    """Return the mail address of the reader's account; empty when there is none."""
    return str(getattr(request.user, "email", ""))


def tell(request: HttpRequest, error: CdpError) -> None:
    """Show a refusal above the next page, with its place."""
    messages.error(request, f"{error.place}: {error.message}" if error.place else str(error.message))


def place_text(error: CdpError, form: BaseForm) -> str:
    """Return where a message is wrong as its writer knows it, such as "Text, line 3"."""
    name = str(error.detail.get("field") or error.place)
    label = str(form.fields[name].label) if name in form.fields else name
    line = error.detail.get("line")
    return _("%(field)s, line %(line)s") % {"field": label, "line": line} if line else label


def refusal(request: HttpRequest, error: CdpError) -> HttpResponse:
    """Show a refusal as a part of a page, for htmx."""
    return render(request, "campaigns/_refusal.html", {"error": error}, status=error.status)
