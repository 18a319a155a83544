"""The catalogue: which traits, events and properties there are, with their types, values and sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from cdp.common.masking import Reader, reader_of
from profiles.catalogue.types import ALL_TYPES
from profiles.filters import CatalogueFilters
from profiles.forms.catalogue import TYPE_LABELS, AnnounceForm, DescribeForm
from profiles.models import CatalogueEntry, Source
from profiles.models.catalogue import CatalogueScope
from profiles.querysets.catalogue import frequent_values
from profiles.services import catalogue as services

SHOWN_VALUES = 4
MAX_PROPERTIES = 400


class CatalogueList(ListPage):
    """Traits, and what people do."""

    permission_required = "profiles.view_catalogueentry"
    template_name = "profiles/catalogue.html"
    filters = CatalogueFilters
    columns = (
        Column(name="name", label=gettext_lazy("Name"), export=lambda row: row.shown_name),
        Column(name="scope", label=gettext_lazy("What it is"), export=lambda row: row.scope),
        Column(name="types", label=gettext_lazy("Values are"), export=lambda row: ", ".join(row.types)),
        Column(
            name="people",
            label=gettext_lazy("People"),
            sort="people",
            numeric=True,
            descending_first=True,
            export=lambda row: row.people,
        ),
        Column(
            name="count",
            label=gettext_lazy("Times seen"),
            sort="count",
            numeric=True,
            descending_first=True,
            export=lambda row: row.count,
        ),
        Column(name="values", label=gettext_lazy("Frequent values"), export=lambda row: ", ".join(row.all_values)),
        Column(name="seen", label=gettext_lazy("Last seen"), export=lambda row: row.last_seen_at),
    )
    search_label = gettext_lazy("Name or description")
    default_sort = "-count"
    empty = (
        gettext_lazy("Nothing known yet"),
        gettext_lazy(
            "The catalogue fills by itself: every trait, event and property that a source or an import brings is "
            "listed here, with its values. Connect a source, or announce what will come."
        ),
        "profiles:sources",
        gettext_lazy("Connect a source"),
    )
    export_permission = "profiles.view_catalogueentry"
    export_name = "catalogue"
    export_action = "catalogue.exported"

    def get_queryset(self) -> QuerySet[CatalogueEntry]:
        """Return traits and events; properties are on the page of their event."""
        return CatalogueEntry.objects.exclude(scope=CatalogueScope.PROPERTY)

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Add labels and values for the page."""
        return described(rows, reader_of(self.request))

    def export_rows(self, block: list[Any]) -> list[Any]:
        """Give the rows what the export says of them."""
        return list(described(block, reader_of(self.request)))


def described(rows: Sequence[Any], reader: Reader) -> Sequence[Any]:
    """Add to entries what their rows show this reader."""
    events = reader.events(row.event for row in rows)
    for row in rows:
        path, event = reader.key(row.path), events[row.event]
        row.shown_name = f"{event}: {path}" if event and path else path or event
        row.shown_path, row.shown_event = path, event
        row.type_labels = type_labels(row)
        row.all_values = reader.frequent(row.event, row.path, frequent_values(row))
        row.shown_values = row.all_values[:SHOWN_VALUES]
    return rows


def type_labels(entry: CatalogueEntry) -> list[tuple[Any, int]]:
    """Return the types with how often each was seen, most frequent first."""
    ranked = sorted(entry.types.items(), key=lambda item: (-item[1], item[0]))
    return [(TYPE_LABELS[name], count) for name, count in ranked if name in ALL_TYPES]


@require_GET
@needs("profiles.view_catalogueentry")
def entry_page(request: HttpRequest, number: int) -> HttpResponse:
    """Show one entry: types, values, sources; of an event its properties."""
    entry = get_object_or_404(CatalogueEntry, pk=number)
    reader = reader_of(request)
    values = reader.frequent(entry.event, entry.path, frequent_values(entry))
    described([entry], reader)
    properties: Sequence[Any] = ()
    if entry.scope == CatalogueScope.EVENT:
        properties = list(CatalogueEntry.objects.properties(entry.event).order_by("path")[:MAX_PROPERTIES])
    context = {
        "entry": entry,
        "type_labels": type_labels(entry),
        "values": [(value, entry.top_values[value]) for value in values],
        "properties": described(properties, reader),
        "sources": Source.objects.filter(pk__in=entry.source_ids).order_by("name"),
        "event_entry": CatalogueEntry.objects.events().filter(event=entry.event).first() if entry.path else None,
        "form": DescribeForm(
            initial={"description": entry.description, "pii": entry.pii},
            of_property=entry.scope == CatalogueScope.PROPERTY,
        ),
    }
    return render(request, "profiles/catalogue_entry.html", context)


@needs("profiles.change_catalogueentry")
@require_POST
def describe_entry(request: HttpRequest, number: int) -> HttpResponse:
    """Save the description."""
    form = DescribeForm(request.POST, of_property="everywhere" in request.POST)
    if form.is_valid():
        _try(
            request,
            lambda: services.describe_entry(entry_id=number, actor=request.user, **form.cleaned_data),
            _("Saved."),
        )
    return redirect("profiles:catalogue_entry", number=number)


@needs("profiles.change_catalogueentry")
@require_POST
def forget_entry(request: HttpRequest, number: int) -> HttpResponse:
    """Take an entry out of the catalogue."""
    done = _("Taken out of the catalogue. It comes back with the next value.")
    _try(request, lambda: services.forget_entry(entry_id=number, actor=request.user), done)
    return redirect("profiles:catalogue")


def _try(request: HttpRequest, act: Any, done: str) -> None:
    try:
        act()
    except CdpError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, done)


@needs("profiles.change_catalogueentry")
@require_http_methods(["GET", "POST"])
def announce_entry(request: HttpRequest) -> HttpResponse:
    """Put a name into the catalogue before any value came."""
    form = AnnounceForm(request.POST or None, initial={"scope": "trait", "event": request.GET.get("event", "")[:200]})
    if request.method == "POST" and form.is_valid():
        try:
            entry = services.announce_entry(actor=request.user, **form.cleaned_data)
        except CdpError as error:
            form.add_error(error.place if error.place in form.fields else None, error.message)
        else:
            messages.success(request, _("Announced. Rules and messages may name it from now on."))
            return redirect("profiles:catalogue_entry", number=entry.pk)
    return render(request, "profiles/catalogue_form.html", {"form": form}, status=422 if form.is_bound else 200)


urlpatterns = [
    path("catalogue/", CatalogueList.as_view(), name="catalogue"),
    path("catalogue/announce/", announce_entry, name="catalogue_announce"),
    path("catalogue/<int:number>/", entry_page, name="catalogue_entry"),
    path("catalogue/<int:number>/describe/", describe_entry, name="catalogue_describe"),
    path("catalogue/<int:number>/forget/", forget_entry, name="catalogue_forget"),
]
