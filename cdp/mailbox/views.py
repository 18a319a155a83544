"""The mailbox in the browser: staff only, and only while mail is captured instead of sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email.message import EmailMessage
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cdp.common.access import record_look
from cdp.common.guards import needs
from cdp.common.masking import can_see_pii
from cdp.common.sandbox import sandboxed_html
from cdp.mailbox.store import Captured, MailStore, header_text, part_text
from profiles.models import Identifier

PAGE = 50
View = Callable[..., HttpResponse]


def store() -> MailStore:
    """Return the box of this installation."""
    return MailStore(settings.VAR_DIR / "mailbox")


def capture_only(view: View) -> View:
    """Close a view unless mail is captured here and the reader is staff who may see names and addresses."""

    @wraps(view)
    @needs()
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.CAPTURE_MAIL:
            raise Http404(_("Mail is really sent here; there is no capture mailbox."))
        if not (getattr(request.user, "is_staff", False) and can_see_pii(request.user)):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return inner


@capture_only
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """List captured mails, newest first."""
    box = store()
    text = request.GET.get("search", "").strip()
    found = box.newest(text=text, before=request.GET.get("before", ""), limit=PAGE + 1)
    rows = [_row(box, captured) for captured in found[:PAGE]]
    record_look(request, "mail.listed", people_at([row["captured"].recipient for row in rows]))
    older = found[PAGE - 1].key if len(found) > PAGE else ""
    context = {"rows": rows, "search": text, "older": older, "total": box.count()}
    return render(request, "mailbox/inbox.html", context)


def people_at(addresses: Iterable[str]) -> list[UUID]:
    """Return the public ids of the people at these addresses, those whom we know."""
    wanted = [address.strip().lower() for address in addresses if address]
    rows = Identifier.objects.filter(kind="email", value__in=wanted)
    return list(rows.values_list("profile__uuid", flat=True))


def note_look(request: HttpRequest, message: EmailMessage) -> None:
    """Note whose mail the reader sees."""
    addresses = header_text(message, "X-Envelope-To").split(",")
    record_look(request, "mail.viewed", people_at(addresses), even_nobody=True)


def _row(box: MailStore, captured: Captured) -> dict[str, Any]:
    message = box.message(captured.name)
    return {"captured": captured, "subject": header_text(message, "Subject") if message else ""}


@capture_only
@require_safe
def mail(request: HttpRequest, key: str) -> HttpResponse:
    """Show one mail: as the reader sees it, as plain text, and its source."""
    box = store()
    message = box.message(box.name_of(key))
    if message is None:
        raise Http404(_("This mail is no longer kept."))
    note_look(request, message)
    plain = message.get_body(("plain",))
    link = re.search(r"<(https?://[^>]+)>", header_text(message, "List-Unsubscribe"))
    context = {
        "key": key,
        "subject": header_text(message, "Subject"),
        "headers": [(head, header_text(message, head)) for head in dict.fromkeys(message.keys())],
        "plain": part_text(plain) if plain else "",
        "has_html": message.get_body(("html",)) is not None,
        "unsubscribe_url": link[1] if link else "",
        "recipient": header_text(message, "X-Envelope-To"),
        "sender": header_text(message, "From"),
    }
    return render(request, "mailbox/mail.html", context)


@capture_only
@require_safe
def mail_html(request: HttpRequest, key: str) -> HttpResponse:
    """Return the HTML part for the sandboxed frame."""
    box = store()
    message = box.message(box.name_of(key))
    body = message.get_body(("html",)) if message else None
    if message is not None:
        note_look(request, message)
    if body is None:
        raise Http404(_("This mail has no HTML part."))
    return sandboxed_html(part_text(body))


@capture_only
@require_POST
def clear(request: HttpRequest) -> HttpResponse:
    """Empty the box."""
    count = store().clear()
    messages.success(request, _("%(count)s captured mails were deleted.") % {"count": count})
    return redirect("mailbox")
