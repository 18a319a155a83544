"""A list page: search, filters, sort, pages by key, export. Subclass `ListPage`; see templates/components/README.md."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar

from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse

from cdp.common.access import record_access, record_look
from cdp.common.counting import COUNT_CAP, capped_count
from cdp.common.filters import MAX_SEARCH, ListFilters
from cdp.common.formulas import escape_formula
from cdp.common.guards import GuardedView
from cdp.common.keyset import CursorInvalid, Order, Page, keyset_page
from cdp.common.masking import can_see_pii
from cdp.common.registry import person_columns

EXPORT_BLOCK = 2_000


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column. `sort` is a field (empty: not sortable); `export` gives the cell of the CSV.

    `few_only`: there is no index for this order, so it is offered only for lists that can be sorted in memory.
    `personal`: the order would tell what a reader without `view_pii` may not see, so it is not offered to one.
    """

    name: str
    label: Any
    sort: str = ""
    numeric: bool = False
    descending_first: bool = False
    few_only: bool = False
    personal: bool = False
    export: Callable[[Any], Any] | None = None


class Echo:
    """A file that gives back what is written: turns csv.writer into a stream."""

    def write(self, text: str) -> str:
        """Return the line."""
        return text


class ListPage(GuardedView):
    """A list over any number of rows."""

    permission_required: str = ""
    template_name = "components/list_page.html"
    columns: ClassVar[Sequence[Column]] = ()
    filters: ClassVar[type[ListFilters]] = ListFilters
    search_label: Any = ""
    #: what the box finds for a reader who may not see people, where that is less
    masked_search_label: Any = ""
    #: columns of the export that the page does not show
    hidden_columns: ClassVar[Sequence[str]] = ()
    #: name of the column to sort by, with a minus for descending
    default_sort = ""
    #: unique field that breaks ties
    key = "id"
    page_size = 50
    #: (title, text, url name, label of the first step), for "none yet"
    empty: ClassVar[tuple[Any, Any, str, Any]] = ("", "", "", "")
    export_permission = ""
    export_action = ""
    export_name = "export"
    #: of an export of people: the field of a row that names the person
    export_person = ""
    count_rows = True
    #: of a list that shows people: what is noted in the access log, for every page of it
    look_action = ""

    # What subclasses give ------------------------------------------------------------------------------------------
    def get_queryset(self) -> QuerySet[Any]:
        """Return all rows that the reader may see, unordered."""
        raise NotImplementedError

    def extra_context(self) -> dict[str, Any]:
        """Return more for the template."""
        return {}

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Add what the row template needs, for the whole page at once."""
        return rows

    # The request ---------------------------------------------------------------------------------------------------
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Draw the page, or stream the export."""
        if request.GET.get("export") == "csv":
            return self.export()
        context = self.context()
        return render(request, self.template_name, context, status=400 if context["lost"] else 200)

    @cached_property
    def filterset(self) -> ListFilters:
        """The filters with what the address says; a value that makes no sense filters nothing."""
        asked = {name: self.request.GET.get(name, "") for name in self.filters.base_filters}
        asked["search"] = self.request.GET.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH]
        return self.filters(asked, request=self.request)

    @cached_property
    def text(self) -> str:
        """What stands in the search box."""
        return self.filterset.data["search"] if self.filters.searchable() else ""

    @cached_property
    def chosen(self) -> dict[str, Any]:
        """Filters in force."""
        return self.filterset.chosen()

    def chosen_values(self) -> dict[str, str]:
        """Return the filters in force for the access log."""
        return {name: str(value) for name, value in self.chosen.items()}

    @cached_property
    def sorting(self) -> tuple[Column | None, bool]:
        """The column to sort by and whether downwards; an unknown one falls back to the default."""
        for wanted in (self.request.GET.get("sort", ""), self.default_sort):
            name = wanted.removeprefix("-")
            for column in self.columns:
                if column.name == name and self.sortable(column):
                    return column, wanted.startswith("-")
        return None, True

    def sortable(self, column: Column) -> bool:
        """Tell whether this reader may sort these rows by a column."""
        if not column.sort or (column.personal and not can_see_pii(self.request.user)):
            return False
        return not (column.few_only and self.count > COUNT_CAP)

    @cached_property
    def count(self) -> int:
        """How many rows there are after search and filters, counted no further than the cap."""
        return capped_count(self.narrowed())

    def narrowed(self) -> QuerySet[Any]:
        """Return the rows after search and filters."""
        return self.filterset.narrow(self.get_queryset())

    def order(self, rows: QuerySet[Any]) -> Order:
        """Return the order that the reader asked for."""
        column, descending = self.sorting
        name = column.sort if column else self.key
        personal = [name] if column and column.personal else []
        return Order.of(rows.model, f"-{name}" if descending else name, key=[self.key], personal=personal)

    def context(self) -> dict[str, Any]:
        """Return everything that the template draws."""
        rows = self.narrowed()
        page, lost = page_asked(self.request, rows, self.order(rows), self.page_size)
        narrowed = bool(self.text or self.chosen)
        shown = self.prepare(page.rows)
        self.note_look(shown)
        return {
            "page": page,
            "rows": shown,
            "count": self.count if self.count_rows else None,
            "list_search": self.text,
            "searchable": self.filters.searchable(),
            "search_label": self.search_words(),
            "headers": self.headers(),
            "list_filters": [self.drawn(name) for name in self.choices],
            "active_filters": self.active(),
            "narrowed": narrowed,
            "lost": lost,
            "empty_state": self.empty_state(),
            "exportable": self.may_export(),
            "person_columns": self.person_columns if self.may_export() else [],
            **self.extra_context(),
        }

    def people_on(self, rows: Sequence[Any]) -> Iterable[Any]:
        """Return the people whom the rows of a page show: profiles or public ids."""
        return [getattr(row, "person", None) for row in rows]

    def note_look(self, rows: Sequence[Any]) -> None:
        """Note whom the reader sees; of the filters only which there are, as their values may be personal."""
        if self.look_action:
            detail = {"filters": sorted(self.chosen), "searched": bool(self.text)}
            record_look(self.request, self.look_action, self.people_on(rows), detail=detail)

    def search_words(self) -> Any:
        """Return what this reader may search for."""
        less = self.masked_search_label and not can_see_pii(self.request.user)
        return self.masked_search_label if less else self.search_label

    def headers(self) -> list[dict[str, Any]]:
        """Return the head of the table with the sort that a click gives."""
        current, descending = self.sorting
        drawn = []
        for column in self.columns:
            if column.name in self.hidden_columns:
                continue
            here = current is column
            downwards = not descending if here else column.descending_first
            state = ("descending" if descending else "ascending") if here else ""
            target = f"{'-' if downwards else ''}{column.name}" if self.sortable(column) else ""
            drawn.append({"label": column.label, "numeric": column.numeric, "sort": target, "state": state})
        return drawn

    @cached_property
    def choices(self) -> dict[str, list[tuple[str, Any]]]:
        """The choices of each filter that the page draws."""
        fields = self.filterset.form.fields
        return {
            name: [(str(value), label) for value, label in field.choices if value != ""]
            for name, field in fields.items()
            if hasattr(field, "choices")
        }

    def drawn(self, name: str) -> dict[str, Any]:
        """Return a filter for the template."""
        return {
            "name": name,
            "label": self.filterset.filters[name].label,
            "any": self.filterset.filters[name].extra["empty_label"],
            "choices": self.choices[name],
            "value": str(self.chosen.get(name, "")),
        }

    def active(self) -> list[dict[str, Any]]:
        """Return the filters in force as chips; a click on one takes it off."""
        chips = []
        for name, value in self.chosen.items():
            shown = dict(self.choices.get(name, ())).get(str(value), value)
            chips.append({"name": name, "label": self.filterset.filters[name].label, "value": shown})
        return chips

    def empty_state(self) -> dict[str, Any]:
        """Return the words for "none yet"; the first step only where the reader can take it."""
        title, text, url_name, action = self.empty
        try:
            url = reverse(url_name) if url_name else ""
        except NoReverseMatch:
            url = ""
        return {"title": title, "text": text, "url": url, "action": action}

    # Export --------------------------------------------------------------------------------------------------------
    def may_export(self) -> bool:
        """Tell whether the reader may take these rows along."""
        user = self.request.user
        named = bool(self.export_person) and not can_see_pii(user)
        return bool(self.export_permission) and user.has_perm(self.export_permission) and not named

    def export(self) -> HttpResponseBase:
        """Stream all rows as CSV with formulas made harmless, and note it in the access log first."""
        if not self.may_export():
            raise PermissionDenied
        rows = self.narrowed()
        detail = {
            "rows": self.count,
            "searched": bool(self.text),
            "filters": {name: str(value) if name in self.choices else "" for name, value in self.chosen.items()},
            **({"only": self.export_only} if self.export_only else {}),
        }
        record_access(request=self.request, action=self.export_action or f"{self.export_name}.exported", detail=detail)
        response: HttpResponse | StreamingHttpResponse = StreamingHttpResponse(
            self.csv_lines(rows), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="{self.export_name}.csv"'
        response["Cache-Control"] = "no-store"
        return response

    def csv_lines(self, rows: QuerySet[Any]) -> Iterator[str]:
        """Yield the lines of the CSV; memory stays flat."""
        columns = [column for column in self.columns if column.export]
        more = self.person_columns
        writer = csv.writer(Echo())
        labels = [*(str(column.label) for column in columns), *(label for _key, label in more)]
        yield "\ufeff" + writer.writerow([escape_formula(label) for label in labels])
        source = rows.order_by(self.key).iterator(chunk_size=EXPORT_BLOCK)
        while block := list(islice(source, EXPORT_BLOCK)):
            block = self.export_rows(block)
            known = _person_values([getattr(row, self.export_person) for row in block]) if more else {}
            for row in block:
                values = known.get(getattr(row, self.export_person), {}) if more else {}
                if self.export_only and not values.get(self.export_only, (False, ""))[0]:
                    continue
                own = [cell(column.export(row)) for column in columns if column.export]
                yield writer.writerow([*own, *(cell(values[key][1] if key in values else "") for key, _l in more)])

    def export_rows(self, block: list[Any]) -> list[Any]:
        """Return a block of the export's rows with what its columns need, as the reader may see it."""
        return block

    @cached_property
    def person_columns(self) -> list[tuple[str, str]]:
        """What an export of people says of each beside the list's own columns: (key, label)."""
        if not self.export_person:
            return []
        return [pair for provider in person_columns for pair in provider.columns()]

    @cached_property
    def export_only(self) -> str:
        """The column in which people of the export must have a yes, "" for all; raise for one that there is not."""
        wanted = self.request.GET.get("only", "")
        if wanted and wanted not in {key for key, _label in self.person_columns}:
            raise BadRequest("there is no such permission to narrow the export by")
        return wanted


def _person_values(profile_ids: Sequence[int]) -> dict[int, dict[str, tuple[bool, str]]]:
    found: dict[int, dict[str, tuple[bool, str]]] = {profile_id: {} for profile_id in profile_ids}
    for provider in person_columns:
        for profile_id, values in provider.values(profile_ids).items():
            found.setdefault(profile_id, {}).update(values)
    return found


def page_asked(request: HttpRequest, rows: QuerySet[Any], order: Order, size: int = 50) -> tuple[Page, bool]:
    """Return the page that `?at=` asks for, and whether that place is lost: an empty page then, to answer with 400."""
    try:
        return keyset_page(rows, order=order, cursor=request.GET.get("at", ""), size=size), False
    except CursorInvalid:
        return Page([], "", ""), True


def cell(value: Any) -> str:
    """Write a value for a CSV cell: figures as they are, text without live formulas."""
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return escape_formula(str(value))
