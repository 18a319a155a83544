"""Previews: a message as one person sees it, in a frame where nothing can act."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST

from campaigns.audience import version_of
from campaigns.checks import known_traits
from campaigns.forms import MessageForm
from campaigns.models import MessageVersion
from campaigns.sending.context import Copy
from campaigns.services.messages import check_content
from campaigns.services.testing import preview
from campaigns.views.common import campaign_or_404, chosen_person, place_text
from cdp.common.access import record_look
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.masking import can_see_pii
from cdp.common.sandbox import sandboxed_html
from cdp.common.turns import taking_turn
from consent.models import Purpose
from profiles.models import Profile

FOUND = 8
#: what is filled in for a reader takes turns
TURN = "message"


@needs("campaigns.change_message")
@require_POST
def check_message(request: HttpRequest) -> HttpResponse:
    """Check what stands in the editor: the errors with their lines, what to look at, and subject and sender as seen."""
    profile = chosen_person(request, "message.previewed")
    version, copy, warnings = None, None, list[str]()
    error: CdpError | None = None
    try:
        with taking_turn(TURN, request.user):
            version, error, warnings = _unsaved(request)
            if version is not None:
                copy, _links = preview(version=version, purpose=None, profile=profile)
    except CdpError as refused:
        error = refused
    context = {
        "error": error,
        "place": place_text(error, MessageForm()) if error else "",
        "warnings": warnings,
        "copy": copy,
        "version": version,
        "profile": profile,
    }
    return render(request, "campaigns/_message_check.html", context)


@needs("campaigns.change_message")
@require_POST
@xframe_options_sameorigin
def preview_frame(request: HttpRequest) -> HttpResponse:
    """Draw what stands in the editor, for the frame beside it."""
    try:
        with taking_turn(TURN, request.user):
            version, error, _warnings = _unsaved(request)
            return _framed(request, version, error)
    except CdpError as refused:
        return sandboxed_html(_note(str(refused.message)))


@needs("campaigns.view_message")
@require_GET
def version_frame(request: HttpRequest, version_id: int) -> HttpResponse:
    """Draw a saved version, for a frame."""
    version = get_object_or_404(MessageVersion, pk=min(version_id, 2**63 - 1))
    return _saved_frame(request, version)


@needs("campaigns.view_campaign")
@require_GET
def campaign_frame(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Draw a campaign's message with its purpose, for a frame."""
    campaign = campaign_or_404(campaign_id)
    version = version_of(campaign)
    return _saved_frame(request, version, campaign.purpose)


@needs("campaigns.view_message")
@require_GET
def find_person(request: HttpRequest) -> HttpResponse:
    """Find people to preview with; for readers who may see names."""
    text = request.GET.get("find", "").replace("\x00", "").strip().lower()[:100]
    people: list[Profile] = []
    if len(text) >= 2 and can_see_pii(request.user):
        rows = Profile.objects.alive().filter(identified=True, search_text__contains=text)
        people = list(rows.by_last_seen()[:FOUND])
        record_look(request, "profile.searched", people)
    return render(request, "campaigns/_people_found.html", {"people": people, "text": text})


def _unsaved(request: HttpRequest) -> tuple[MessageVersion | None, CdpError | None, list[str]]:
    """Compile the editor's content without keeping it."""
    data = request.POST.copy()
    data["name"] = data.get("name") or "-"
    form = MessageForm(data)
    if not form.is_valid():
        name, words = next(iter(form.errors.items()))
        return None, CdpError("message.invalid", str(words[0]), place=name), []
    content = form.content()
    try:
        compiled = check_content(content, known_traits())
    except CdpError as error:
        return None, error, []
    version = MessageVersion(
        subject=content.subject,
        preheader=content.preheader,
        body=content.body,
        format=content.format,
        from_name=content.from_name,
        from_email=content.from_email,
        required_traits=content.required_traits,
        compiled_html=compiled.html,
        compiled_text=compiled.text,
    )
    warnings = [
        (_("Line %(line)s: ") % {"line": item.line} if item.line else "") + item.message for item in compiled.warnings
    ]
    return version, None, warnings


def _saved_frame(request: HttpRequest, version: MessageVersion | None, purpose: Purpose | None = None) -> HttpResponse:
    try:
        with taking_turn(TURN, request.user):
            return _framed(request, version, None, purpose)
    except CdpError as refused:
        return sandboxed_html(_note(str(refused.message)))


def _framed(
    request: HttpRequest, version: MessageVersion | None, error: CdpError | None, purpose: Purpose | None = None
) -> HttpResponse:
    if version is None:
        waiting = _("The preview comes back once what is said above is corrected.")
        return sandboxed_html(_note(waiting if error else _("No message is chosen yet.")))
    try:
        copy, _links = preview(
            version=version,
            purpose=purpose,
            profile=chosen_person(request, "message.previewed"),
        )
    except CdpError as refused:
        return sandboxed_html(_note(str(refused.message)))
    plain = (request.POST.get("view") or request.GET.get("view")) == "plain"
    return sandboxed_html(plain_page(copy) if plain else copy.html)


def plain_page(copy: Copy) -> str:
    """Return the plain-text part as a page."""
    style = "font:14px/1.6 ui-monospace,monospace;white-space:pre-wrap;padding:16px;margin:0;overflow-wrap:anywhere"
    return f'<!doctype html><html><body><pre style="{style}">{escape(copy.text)}</pre></body></html>'


def _note(text: str) -> str:
    style = "font:14px sans-serif;padding:16px;color:#475569"
    return f'<!doctype html><html><body style="{style}">{escape(text)}</body></html>'
