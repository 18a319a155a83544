"""Sources: the list, a new one, one with its key, snippets and counts, and the steps that change it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from cdp.common.errors import CdpError
from cdp.common.guards import needs
from profiles.forms.sources import NewSourceForm, RotateForm, SourceForm
from profiles.models import Source
from profiles.models.source import SourceKind
from profiles.querysets.live import last_event_of
from profiles.querysets.refusals import SHOWN, refusals, refusals_of
from profiles.querysets.sources import (
    Counts,
    counts_by_source,
    counts_of,
    hourly_received,
    left_out_of,
    waiting_of,
)
from profiles.services import sources as services
from profiles.views.snippets import snippets_for

PLACEHOLDER_KEY = "YOUR_SECRET_KEY"
#: so long somebody is still setting the source up, and waits for the first to come in
FIRST_EVENTS = 20


@require_GET
@needs("profiles.view_source")
def source_list(request: HttpRequest) -> HttpResponse:
    """Show every source with what it sent in the last day."""
    today = counts_by_source(since=timezone.now() - timedelta(hours=24))
    ever = counts_by_source()
    rows = [
        {
            "source": source,
            "today": today.get(source.pk, Counts()),
            "ever": ever.get(source.pk, Counts()),
            "keyed": source.kind in services.KEYED_KINDS,
        }
        for source in Source.objects.order_by("kind", "name")
    ]
    own = [row for row in rows if row["keyed"]]
    built_in = [row for row in rows if not row["keyed"]]
    return render(request, "profiles/sources.html", {"rows": own, "built_in": built_in, "refused": refusals()[:SHOWN]})


@needs("profiles.add_source")
@never_cache
def source_new(request: HttpRequest) -> HttpResponse:
    """Make a source and show its key, once."""
    form = NewSourceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            source, key = services.create_source(actor=request.user, **form.cleaned_data)
        except CdpError as error:
            form.add_error(
                "allowed_origins" if error.code.startswith("source.origin") else None,
                error.message,
            )
        else:
            return render(
                request,
                "profiles/source.html",
                _detail(request, source, new_key=key),
                status=201,
            )
    return render(
        request,
        "profiles/source_form.html",
        {"form": form},
        status=422 if form.is_bound else 200,
    )


@needs("profiles.change_source")
def source_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Change a source's name and origins."""
    source = get_object_or_404(Source, slug=slug, kind__in=services.KEYED_KINDS)
    form = SourceForm(
        request.POST or None,
        initial={"name": source.name, "allowed_origins": source.allowed_origins},
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.update_source(source_id=source.pk, actor=request.user, **form.cleaned_data)
        except CdpError as error:
            form.add_error(
                "allowed_origins" if error.code.startswith("source.origin") else None,
                error.message,
            )
        else:
            messages.success(request, _("The source was saved."))
            return redirect("profiles:source", slug=slug)
    context = {"form": form, "source": source}
    return render(
        request,
        "profiles/source_form.html",
        context,
        status=422 if form.is_bound else 200,
    )


@require_GET
@needs("profiles.view_source")
def source_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one source."""
    return render(
        request,
        "profiles/source.html",
        _detail(request, get_object_or_404(Source, slug=slug)),
    )


@require_GET
@needs("profiles.view_source")
@never_cache
def source_counts(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the counts alone; the page asks for them again every few seconds."""
    return render(
        request,
        "profiles/source_counts.html",
        _counts(get_object_or_404(Source, slug=slug)),
    )


@require_POST
@needs("profiles.change_source")
@never_cache
def source_rotate(request: HttpRequest, slug: str) -> HttpResponse:
    """Issue a new key and show it, once."""
    source = get_object_or_404(Source, slug=slug)
    form = RotateForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say for how many hours the old key keeps working."))
        return redirect("profiles:source", slug=slug)
    try:
        source, key = services.rotate_key(
            source_id=source.pk,
            overlap_hours=form.cleaned_data["overlap_hours"],
            actor=request.user,
        )
    except CdpError as error:
        messages.error(request, error.message)
        return redirect("profiles:source", slug=slug)
    return render(request, "profiles/source.html", _detail(request, source, new_key=key))


@require_POST
@needs("profiles.change_source")
def source_switch(request: HttpRequest, slug: str) -> HttpResponse:
    """Switch a source on or off."""
    source = get_object_or_404(Source, slug=slug)
    enabled = request.POST.get("enabled") == "1"
    try:
        services.set_enabled(source_id=source.pk, enabled=enabled, actor=request.user)
    except CdpError as error:
        messages.error(request, error.message)
    else:
        messages.success(
            request,
            _("The source is on.") if enabled else _("The source is off; its events are refused."),
        )
    return redirect("profiles:source", slug=slug)


def _counts(source: Source) -> dict[str, Any]:
    today = counts_of(source, since=timezone.now() - timedelta(hours=24))
    ever = counts_of(source)
    return {
        "source": source,
        "today": today,
        "ever": ever,
        "waiting": waiting_of(source),
        "points": hourly_received(source),
        "keyed": source.kind in services.KEYED_KINDS,
        "silent": source.last_seen_at is None and not ever.received,
        "first": ever.received <= FIRST_EVENTS,
        "last_event": last_event_of(source),
        "left_out": left_out_of(source),
        "refused": refusals_of(source)[:SHOWN] if source.kind in services.KEYED_KINDS else [],
    }


def _detail(request: HttpRequest, source: Source, *, new_key: str = "") -> dict[str, Any]:
    key = new_key or source.public_key or PLACEHOLDER_KEY
    overlap = source.previous_key_until
    return {
        **_counts(source),
        "new_key": new_key,
        "shown_key": new_key or source.public_key,
        "snippets": snippets_for(source, key) if source.kind in services.KEYED_KINDS else [],
        "is_browser": source.kind == SourceKind.BROWSER,
        "overlap_until": overlap if overlap and overlap > timezone.now() else None,
        "may_change": request.user.has_perm("profiles.change_source"),
    }


urlpatterns = [
    path("sources/", source_list, name="sources"),
    path("sources/new/", source_new, name="source_new"),
    path("sources/<slug:slug>/", source_detail, name="source"),
    path("sources/<slug:slug>/counts/", source_counts, name="source_counts"),
    path("sources/<slug:slug>/edit/", source_edit, name="source_edit"),
    path("sources/<slug:slug>/rotate/", source_rotate, name="source_rotate"),
    path("sources/<slug:slug>/switch/", source_switch, name="source_switch"),
]
