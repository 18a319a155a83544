"""Filters of a list, declared once and shared by its page, its API and the staff site (django-filter).

    class SegmentFilters(ListFilters):
        search_fields = ("name",)
        status = ChoiceFilter(label=_("State"), choices=Status.choices)

Pages draw the choices and the search box, and pass over what makes no sense (an old bookmark). The API takes all of
them and refuses what makes no sense, names that are no filter included: a filter that is silently ignored lists people
that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters.rest_framework import DjangoFilterBackend
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request

from cdp.common.errors import CdpError
from cdp.common.models import Heartbeat

MAX_SEARCH = 200
#: what a list of the API takes beside its filters
PAGING = frozenset({"cursor", "limit"})
MAX_ID = 2**63 - 1


class MomentField(forms.CharField):
    """A time that knows its zone."""

    def to_python(self, value: Any) -> Any:
        """Return the aware time, None for nothing."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            moment = parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ValidationError(_("Write a time as 2026-11-23T14:30:00Z."))
        return moment


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(django_filters.Filter):  # type: ignore[misc]  # the base is untyped
    """Compare a column with a time that knows its zone."""

    field_class = MomentField


class ChoiceFilter(django_filters.ChoiceFilter):  # type: ignore[misc]  # the base is untyped
    """A choice; a page draws it as a select whose first entry is `empty_label`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("empty_label", gettext_lazy("any"))
        super().__init__(*args, **kwargs)


class TextFilter(django_filters.CharFilter):  # type: ignore[misc]  # the base is untyped
    """A text that is compared as a whole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_SEARCH)
        super().__init__(*args, **kwargs)


class IdFilter(django_filters.NumberFilter):  # type: ignore[misc]  # the base is untyped
    """The number of another row."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"min_value": 0, "max_value": MAX_ID, "decimal_places": 0}
        super().__init__(*args, **kwargs)


class ListFilters(django_filters.FilterSet):  # type: ignore[misc]  # the base is untyped
    """The filters of one list. `search` finds rows of which every word stands in any of `search_fields`."""

    search_fields: ClassVar[Sequence[str]] = ()
    search = TextFilter(method="filter_search", label=gettext_lazy("Words"))

    def __init__(self, data: Any = None, queryset: QuerySet[Any] | None = None, **options: Any) -> None:
        # `narrow` is given its rows: the base only wants some queryset, to name filters without a label by its model.
        super().__init__(data, Heartbeat.objects.none() if queryset is None else queryset, **options)

    def filter_search(self, rows: Any, _name: str, text: str) -> Any:
        """Narrow by the search box; subclasses whose tables are large override it with what an index can answer."""
        for word in text.split()[:8]:
            matches = Q()
            for field in self.search_fields:
                matches |= Q(**{f"{field}__icontains": word})
            rows = rows.filter(matches)
        return rows

    @classmethod
    def searchable(cls) -> bool:
        """Tell whether the list has a search box."""
        return bool(cls.search_fields) or cls.filter_search is not ListFilters.filter_search

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Apply every filter that has a sensible value."""
        self.form.is_valid()
        found: QuerySet[Any] = self.filter_queryset(rows)
        return found

    def chosen(self) -> dict[str, Any]:
        """Return the filters in force, the search left out."""
        self.form.is_valid()
        return {
            name: value
            for name, value in self.form.cleaned_data.items()
            if name != "search" and value not in (None, "") and name in self.filters
        }


class ListFilterBackend(DjangoFilterBackend):  # type: ignore[misc]  # the base is untyped
    """Filter lists of the API by the view's `filterset_class`."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Model], view: Any) -> QuerySet[Model]:
        """Narrow a list; a single row is found whatever the query says."""
        if getattr(view, "detail", False):
            return queryset
        also = getattr(view, "other_parameters", ())
        return narrowed(request, queryset, getattr(view, "filterset_class", None), also=also)


def narrowed(
    request: Request,
    rows: QuerySet[Any],
    filterset_class: type[ListFilters] | None,
    *,
    also: Collection[str] = (),
) -> QuerySet[Any]:
    """Return the rows that the query asks for; raise when it asks for what there is not.

    `also` names parameters that are no filters.
    """
    known = {*also, *(filterset_class.base_filters if filterset_class is not None else ())}
    if filterset_class is not None and not filterset_class.searchable():
        known.discard("search")
    refuse_unknown_parameters(request, known | PAGING)
    if filterset_class is None:
        return rows
    for name, found in filterset_class.base_filters.items():
        if not isinstance(found, TextFilter) and request.query_params.get(name) == "":
            message = _("An empty value is no value: leave “%(name)s” out.") % {"name": name}
            raise CdpError("invalid", message, place=name, fields={name: [message]})
    filters = filterset_class(request.query_params, request=request)
    if not filters.is_valid():
        raise translate_validation(filters.errors)
    return filters.narrow(rows)


def refuse_unknown_parameters(request: Request, known: Collection[str]) -> None:
    """Raise CdpError `unknown_parameter`, naming those of the query that are not known, or that stand there twice."""
    twice = sorted(name for name, values in request.query_params.lists() if len(values) > 1)
    if twice:
        raise CdpError(
            "parameter_repeated",
            _("The parameter “%(name)s” stands there more than once.") % {"name": twice[0][:60]},
            place=twice[0][:60],
            fields={name[:60]: [_("Give it once.")] for name in twice[:20]},
        )
    unknown = sorted(set(request.query_params) - set(known))
    if not unknown:
        return
    message = _("There is no parameter “%(name)s” here.") % {"name": unknown[0][:60]}
    if known:
        message = _("There is no parameter “%(name)s” here. Known are: %(names)s.") % {
            "name": unknown[0][:60],
            "names": ", ".join(sorted(known)),
        }
    raise CdpError(
        "unknown_parameter",
        message,
        place=unknown[0][:60],
        fields={name[:60]: [_("This parameter is not known.")] for name in unknown[:20]},
    )


def within_days(field: str) -> Callable[[QuerySet[Any], str, str], QuerySet[Any]]:
    """Return a filter method that keeps rows whose time is within so many days."""

    def keep(rows: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        return rows.filter(**{f"{field}__gte": timezone.now() - timedelta(days=int(value))})

    return keep
