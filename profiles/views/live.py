"""Live events: what comes in, and what was rejected with the reason, to correct and send through again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from cdp.common.access import record_access, record_look
from cdp.common.counting import capped_count
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from cdp.common.masking import can_see_pii
from profiles.filters import RejectedFilters
from profiles.forms.sources import LiveFilterForm
from profiles.models import RejectedMessage, Source
from profiles.querysets.live import latest_events, raw_event
from profiles.querysets.sources import Counts, counts_by_source
from profiles.services.rejected import discard_rejected, replay_rejected


def _filters(request: HttpRequest) -> tuple[LiveFilterForm, Source | None, str]:
    form = LiveFilterForm(request.GET)
    form.is_valid()  # a filter that makes no sense filters nothing
    name = form.cleaned_data.get("name", "").replace("\x00", "")
    return form, form.cleaned_data.get("source"), name


@require_GET
@needs("profiles.view_source")
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Show the stream; asked by htmx, only its rows."""
    form, source, name = _filters(request)
    events = latest_events(source_id=source.pk if source else None, name=name)
    record_look(request, "event.streamed", [event.profile_uuid or None for event in events])
    context = {
        "form": form,
        "events": events,
        "paused": request.GET.get("paused") == "1",
        "filtered": bool(source or name),
        "may_see_raw": can_see_pii(request.user),
    }
    if request.headers.get("HX-Request") == "true":
        return render(request, "profiles/live_rows.html", context)
    today = counts_by_source(since=timezone.now() - timedelta(hours=24))
    context["counts"] = [(row, today.get(row.pk, Counts())) for row in Source.objects.order_by("name")]
    context["rejected_total"] = capped_count(RejectedMessage.objects.filter(resolved_at=None))
    return render(request, "profiles/live.html", context)


@require_GET
@needs("profiles.view_source", "profiles.view_pii")
@never_cache
def live_raw(request: HttpRequest, raw_id: int, position: int) -> HttpResponse:
    """Show one event as it was received."""
    received_at = _moment(request.GET.get("at", ""))
    found = raw_event(raw_id=raw_id, received_at=received_at, position=position) if received_at else None
    if found is None:
        return render(request, "profiles/live_raw.html", {"text": ""})
    raw, event = found
    record_access(
        request=request,
        action="event.viewed",
        object_kind="rawmessage",
        object_id=f"{raw.id}:{position}",
    )
    text = json.dumps(event, indent=2, ensure_ascii=False, default=str)
    return render(request, "profiles/live_raw.html", {"text": text, "raw": raw})


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) else None


class RejectedList(ListPage):
    """What was rejected and not yet dealt with, newest first."""

    permission_required = "profiles.view_rejectedmessage"
    template_name = "profiles/rejected.html"
    filters = RejectedFilters
    columns = (
        Column(name="received", label=gettext_lazy("Received"), sort="id", descending_first=True),
        Column(name="reason", label=gettext_lazy("Reason")),
        Column(name="source", label=gettext_lazy("Source")),
        Column(name="message", label=gettext_lazy("Message id")),
    )
    default_sort = "-received"
    empty = (
        gettext_lazy("Nothing is waiting"),
        gettext_lazy("Every message that came in was stored, or was a duplicate, or was dealt with."),
        "",
        "",
    )

    def get_queryset(self) -> QuerySet[RejectedMessage]:
        """Return the messages that nobody has dealt with."""
        return RejectedMessage.objects.filter(resolved_at=None).select_related("source")


@needs("profiles.view_rejectedmessage", "profiles.view_pii")
@never_cache
def rejected_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a rejected message with its reason; POST sends the corrected text through again."""
    message = get_object_or_404(RejectedMessage.objects.select_related("source"), pk=pk)
    text = json.dumps(message.payload, indent=2, ensure_ascii=False, default=str)
    error: CdpError | None = None
    if request.method == "POST":
        if not request.user.has_perm("profiles.change_rejectedmessage"):
            raise Http404
        text = request.POST.get("payload", "")
        try:
            replay_rejected(message_id=pk, text=text, actor=request.user)
        except CdpError as refused:
            error = refused
        else:
            messages.success(
                request,
                _("The event was sent through again. If it fails once more, it comes back here."),
            )
            return redirect("profiles:rejected")
    else:
        record_access(
            request=request,
            action="rejected.viewed",
            object_kind="rejectedmessage",
            object_id=str(pk),
        )
    context = {"row": message, "text": text, "error": error}
    return render(
        request,
        "profiles/rejected_detail.html",
        context,
        status=error.status if error else 200,
    )


@require_POST
@needs("profiles.change_rejectedmessage")
def rejected_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a rejected message aside."""
    try:
        discard_rejected(message_id=pk, actor=request.user)
    except CdpError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The message was put aside."))
    return redirect("profiles:rejected")


urlpatterns = [
    path("live/", live, name="live"),
    path("live/raw/<int:raw_id>/<int:position>/", live_raw, name="live_raw"),
    path("live/rejected/", RejectedList.as_view(), name="rejected"),
    path("live/rejected/<int:pk>/", rejected_detail, name="rejected_detail"),
    path("live/rejected/<int:pk>/discard/", rejected_discard, name="rejected_discard"),
]
