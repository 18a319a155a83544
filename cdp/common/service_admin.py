"""What every model of the staff site shares: pages by key without a count, and no order or filter that reads it all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import ShowFacets
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from cdp.common.counting import COUNT_CAP, capped_count, estimated_rows
from cdp.common.filters import ListFilters
from cdp.common.keyset import CursorInvalid, Order, Page, keyset_page

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
else:
    BaseAdmin = admin.ModelAdmin


class KeysetChangeList(ChangeList):
    """A list of the staff site in pages by key; it counts no further than 10,000 and offers no "show all"."""

    page: Page
    lost = False
    filterset: ListFilters | None = None

    @property
    def own(self) -> ServiceAdmin:
        """The class of the staff site that this list is of."""
        assert isinstance(self.model_admin, ServiceAdmin)
        return self.model_admin

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Leave what the shared filters take to them."""
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in self.own.filters.base_filters}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Narrow by the filters that the list shares with its page and the API."""
        rows = super().get_queryset(request, exclude_parameters)
        self.filterset = self.own.filters(request.GET, request=request)
        self.has_filters = self.has_filters or bool(self.drawn_filters)
        return self.filterset.narrow(rows)

    @property
    def drawn_filters(self) -> list[Any]:
        """The choices among the shared filters, as fields of a form."""
        assert self.filterset is not None
        form = self.filterset.form
        return [form[name] for name, field in form.fields.items() if hasattr(field, "choices")]

    def get_results(self, request: HttpRequest) -> None:
        """Read the page that `?p=` asks for; an empty one when that place is not there."""
        columns = [name for name in self.queryset.query.order_by if isinstance(name, str) and name.lstrip("-") != "pk"]
        order = Order.of(self.model, *[name for name in columns if is_own_column(self.model, name)])
        try:
            self.page = keyset_page(
                self.queryset, order=order, cursor=request.GET.get(PAGE_VAR, ""), size=self.list_per_page
            )
        except CursorInvalid:
            self.page, self.lost = Page([], "", ""), True
        self.result_list = self.page.rows
        # Equal counts: the search form and the actions say nothing of rows that nobody counted.
        self.result_count = self.full_result_count = len(self.page.rows)
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, self.queryset.none(), self.list_per_page)

    @property
    def counted(self) -> int:
        """How many rows there are after search and filters, counted no further than the cap."""
        return capped_count(self.queryset)

    @property
    def next_query(self) -> str:
        """The query of the next page, empty on the last."""
        return self.get_query_string({PAGE_VAR: self.page.next}) if self.page.next else ""

    @property
    def previous_query(self) -> str:
        """The query of the page before, empty on the first."""
        return self.get_query_string({PAGE_VAR: self.page.previous}) if self.page.previous else ""


class ServiceAdmin(BaseAdmin):
    """The base of every class of the staff site; the site mixes it into those of other packages."""

    list_per_page = 50
    show_full_result_count = False
    filters: ClassVar[type[ListFilters]] = ListFilters
    show_facets = ShowFacets.NEVER  # facets count every choice over the whole table

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list in pages by key."""
        return KeysetChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Answer a place that is not in the list with 400, never with another page."""
        response = super().changelist_view(request, extra_context)
        shown = getattr(response, "context_data", None) or {}
        if getattr(shown.get("cl"), "lost", False):
            response.status_code = 400
        return response

    def get_sortable_by(self, request: HttpRequest) -> Any:
        """Offer the orders that an index serves; in a small table those of all its own columns."""
        wanted = [name for name in super().get_sortable_by(request) if isinstance(name, str)]
        own = [name for name in wanted if is_own_column(self.model, name)]
        return own if self.is_small() else [name for name in own if name in leading_columns(self.model)]

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Leave out, of a large table, filters that would read all of it for their choices."""
        wanted = super().get_list_filter(request)
        return wanted if self.is_small() else [item for item in wanted if not _lists_values(self.model, item)]

    def is_small(self) -> bool:
        """Tell whether the table may be sorted and listed as a whole."""
        return estimated_rows(self.model._meta.db_table) <= COUNT_CAP


class ReadOnlyAdmin(ServiceAdmin):
    """Read, with no way to write: ledgers, logs, and what has pages of its own for changes."""

    actions = None

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False


def is_own_column(model: type[Model], name: str) -> bool:
    """Tell whether a name of an order is a column of the model's own table."""
    try:
        field: Any = model._meta.get_field(name.lstrip("-"))
    except FieldDoesNotExist:
        return False
    return bool(field.concrete and not field.many_to_many)


def _lists_values(model: type[Model], item: Any) -> bool:
    if not isinstance(item, str) or not is_own_column(model, item):
        return False
    field: Any = model._meta.get_field(item)
    return not field.choices and field.get_internal_type() in ("CharField", "TextField", "GenericIPAddressField")


def leading_columns(model: type[Model]) -> set[str]:
    """Return the columns by which an index without a condition is ordered first."""
    meta: Any = model._meta
    found = {field.name for field in meta.concrete_fields if field.primary_key or field.unique or field.db_index}
    found |= {index.fields_orders[0][0] for index in meta.indexes if index.fields_orders and index.condition is None}
    return found
