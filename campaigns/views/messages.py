"""Pages of messages: the list, the editor, earlier versions."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.contrib import messages as notices
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campaigns.filters import MessageFilters
from campaigns.forms import MessageForm
from campaigns.models import Campaign, Message, MessageVersion
from campaigns.services.campaigns import resume_campaign
from campaigns.services.messages import archive_message, content_of, create_message, update_message
from campaigns.services.single import allow_single_sends, stop_single_sends
from campaigns.services.testing import send_test
from campaigns.starters import BY_KEY, STARTERS
from campaigns.views.common import chosen_person, own_address, tell
from campaigns.views.previews import TURN
from campaigns.views.single import single_card
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from cdp.common.turns import taking_turn
from profiles.models import CatalogueEntry

MERGE_TAGS = 40


class MessageList(ListPage):
    """All messages."""

    permission_required = "campaigns.view_message"
    template_name = "campaigns/messages.html"
    filters = MessageFilters
    columns = (
        Column(name="name", label=_("Name"), sort="name", export=lambda row: row.name),
        Column(name="subject", label=_("Subject"), export=lambda row: row.current_version.subject),
        Column(name="version", label=_("Version"), numeric=True),
        Column(name="changed", label=_("Changed"), sort="changed_at", descending_first=True),
    )
    search_label = _("Search by name or subject")
    default_sort = "-changed"
    empty = (
        _("No messages yet"),
        _("A message is what a campaign sends: a subject and a text with places for each person's own values."),
        "campaigns:message_new",
        _("Write a message"),
    )

    def get_queryset(self) -> QuerySet[Message]:
        """Return the messages in use."""
        return Message.objects.living().select_related("current_version")


@needs("campaigns.add_message")
@require_http_methods(["GET", "POST"])
def message_new(request: HttpRequest) -> HttpResponse:
    """Write a new message, from an example or from nothing."""
    if request.method == "POST":
        return _save(request, None)
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    initial: dict[str, Any] = {"from_name": name, "from_email": address}
    starter = BY_KEY.get(request.GET.get("starter", "letter"))
    if starter is not None:
        initial |= {
            "subject": str(starter.subject),
            "preheader": str(starter.preheader),
            "body": str(starter.body),
            "format": starter.format,
        }
    return _editor(request, MessageForm(initial=initial), None, starter=starter.key if starter else "")


@needs("campaigns.view_message")
@require_http_methods(["GET", "POST"])
def message_edit(request: HttpRequest, message_id: int) -> HttpResponse:
    """Show a message; save a change as a new version."""
    message = _message(message_id)
    if request.method == "POST":
        return _save(request, message)
    if not request.user.has_perm("campaigns.change_message"):
        context = {"message": message, "version": message.current_version, "versions": _versions(message)}
        return render(request, "campaigns/message_version.html", context)
    content = content_of(message.current_version) if message.current_version else None
    initial: dict[str, Any] = {"name": message.name}
    if content is not None:
        initial |= {**content.__dict__, "required_traits": ", ".join(content.required_traits)}
    return _editor(request, MessageForm(initial=initial), message)


@needs("campaigns.view_message")
@require_safe
def message_version(request: HttpRequest, message_id: int, number: int) -> HttpResponse:
    """Show an earlier version as it was."""
    message = _message(message_id)
    version = get_object_or_404(MessageVersion, message=message, number=min(number, 2**31 - 1))
    return render(request, "campaigns/message_version.html", {"message": message, "version": version})


@needs("campaigns.change_message")
@require_POST
def message_test(request: HttpRequest, message_id: int) -> HttpResponse:
    """Send the saved message to the reader's own address."""
    message = _message(message_id)
    version = message.current_version
    assert version is not None
    try:
        person = chosen_person(request, "message.tested")
        send_test(version=version, purpose=None, to=own_address(request), profile=person)
    except CdpError as error:
        tell(request, error)
    else:
        notices.success(request, gettext("The test went to %(address)s.") % {"address": own_address(request)})
    return redirect("campaigns:message", message_id)


@needs("campaigns.change_message")
@require_POST
def message_archive(request: HttpRequest, message_id: int) -> HttpResponse:
    """Put a message away."""
    try:
        message = archive_message(message_id=_message(message_id).pk)
    except CdpError as error:
        tell(request, error)
    else:
        notices.success(request, gettext("“%(name)s” was put away.") % {"name": message.name})
    return redirect("campaigns:messages")


@needs("campaigns.send_campaign")
@require_POST
def message_single(request: HttpRequest, message_id: int) -> HttpResponse:
    """Allow programs to send the message, stop that, or go on after a pause."""
    message = _message(message_id)
    action = request.POST.get("action", "")
    try:
        if action == "allow":
            allow_single_sends(message_id=message.pk, user=request.user)
            notices.success(request, gettext("Programs may send this message now, one person at a time."))
        elif action == "stop":
            stopped = stop_single_sends(message_id=message.pk)
            text = gettext("Programs may not send it any more. Cancelled while they waited: %(count)s.")
            notices.success(request, text % {"count": stopped})
        elif action == "resume":
            for campaign in Campaign.objects.filter(kind="single", message=message, status="paused"):
                resume_campaign(campaign_id=campaign.pk)
            notices.success(request, gettext("What waited is being sent."))
    except CdpError as error:
        tell(request, error)
    return redirect("campaigns:message", message_id)


def _message(message_id: int) -> Message:
    rows = Message.objects.living().select_related("current_version")
    message: Message = get_object_or_404(rows, pk=min(message_id, 2**63 - 1))
    return message


def _save(request: HttpRequest, message: Message | None) -> HttpResponse:
    if not request.user.has_perm("campaigns.change_message" if message else "campaigns.add_message"):
        return render(request, "403.html", status=403)
    form = MessageForm(request.POST)
    if form.is_valid():
        try:
            given: dict[str, Any] = {
                "name": form.cleaned_data["name"], "content": form.content(), "actor": request.user
            }  # fmt: skip
            with taking_turn(TURN, request.user):
                saved = update_message(message_id=message.pk, **given) if message else create_message(**given)
        except CdpError as error:
            field = str(error.detail.get("field") or error.place)
            line = error.detail.get("line")
            words = (
                gettext("Line %(line)s: %(message)s") % {"line": line, "message": error.message}
                if line
                else str(error.message)
            )
            form.add_error(field if field in form.fields else None, words)
        else:
            assert saved.current_version is not None
            notices.success(request, gettext("Saved as version %(number)s.") % {"number": saved.current_version.number})
            return redirect("campaigns:message", saved.pk)
    return _editor(request, form, message, status=422)


def _versions(message: Message) -> Any:
    return message.versions.select_related("created_by").order_by("-number")[:20]


def _editor(
    request: HttpRequest, form: MessageForm, message: Message | None, *, status: int = 200, starter: str = ""
) -> HttpResponse:
    versions = _versions(message) if message else []
    context = {
        "form": form,
        "message": message,
        "versions": versions,
        "starters": STARTERS,
        "starter": starter,
        "traits": CatalogueEntry.objects.top_traits(MERGE_TAGS),
        "single": single_card(request, message) if message else None,
    }
    return render(request, "campaigns/message_edit.html", context, status=status)
