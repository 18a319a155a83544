"""Filters of people and what they did, of sources, imports and the rest of the profiles app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from cdp.common.filters import ChoiceFilter, ListFilters, MomentFilter, TextFilter
from cdp.common.masking import can_see_pii, mask_text, reader_of
from profiles.forms.catalogue import TYPE_LABELS
from profiles.models import ImportRow, Source
from profiles.models.catalogue import PiiClass
from profiles.models.identity import MergeState
from profiles.models.imports import ImportState, Outcome
from profiles.querysets.lookup import find_person
from profiles.rejections import REJECTIONS

#: entries of the catalogue that a search looks through for a reader who is not shown all names
MOST_NAMES = 2_000


def source_choices() -> Sequence[tuple[str, str]]:
    """Return the sources as choices."""
    return [(str(pk), name) for pk, name in Source.objects.order_by("name").values_list("pk", "name")[:200]]


class PersonFilter(TextFilter):
    """A person, given as an id or as `kind:value`; `keep(rows, profile_id)` narrows the list to theirs."""

    def __init__(self, *args: Any, keep: Callable[[Any, int], Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keep = keep

    def filter(self, rows: Any, value: Any) -> Any:
        """Keep the rows of the person; none when there is no such person."""
        if not value:
            return rows
        person = find_person(value, reader=self.parent.request.user)
        return self.keep(rows, person.pk) if person is not None else rows.none()


class ProfileFilters(ListFilters):
    """People."""

    identified = ChoiceFilter(
        label=_("Who"),
        choices=(("true", _("known people")), ("false", _("anonymous visitors"))),
        method="filter_identified",
        empty_label=_("everybody"),
    )
    seen_in = ChoiceFilter(
        label=_("Seen in the last"),
        choices=(("1", _("24 hours")), ("7", _("7 days")), ("30", _("30 days")), ("90", _("90 days"))),
        method="filter_seen_in",
        empty_label=_("any time"),
    )
    state = ChoiceFilter(label=_("State"), choices=(("restricted", _("restricted")),), method="filter_state")

    def filter_search(self, rows: Any, _name: str, text: str) -> Any:
        """Find people of whom every word stands in a name, address or id; by the whole id who may not see those."""
        return rows.found_by(text, can_see_pii(self.request.user))

    def filter_identified(self, rows: Any, _name: str, value: str) -> Any:
        """Keep those who are known, or those who are not."""
        return rows.filter(identified=value == "true")

    def filter_seen_in(self, rows: Any, _name: str, value: str) -> Any:
        """Keep those who did something in so many days."""
        return rows.seen_within(int(value))

    def filter_state(self, rows: Any, _name: str, _value: str) -> Any:
        """Keep those whose data is restricted."""
        return rows.filter(restricted_at__isnull=False)


class InteractionFilters(ListFilters):
    """What people did."""

    name = TextFilter(label=_("Name of the event"), method="filter_name")
    since = MomentFilter(field_name="occurred_at", lookup_expr="gte", label=_("From this moment on"))
    before = MomentFilter(field_name="occurred_at", lookup_expr="lt", label=_("Before this moment"))

    def filter_name(self, rows: Any, _name: str, value: str) -> Any:
        """Keep events of a name; a name that the reader would not be shown finds nothing."""
        return rows.filter(name=value) if reader_of(self.request).shows_event(value) else rows.none()


class SourceFilters(ListFilters):
    """Sources."""

    search_fields = ("name",)


class RejectedFilters(ListFilters):
    """Messages that were not stored."""

    source = ChoiceFilter(label=_("Source"), choices=source_choices, field_name="source_id")
    code = ChoiceFilter(label=_("Reason"), choices=REJECTIONS.choices)


class MergeFilters(ListFilters):
    """Merges of people."""

    state = ChoiceFilter(label=_("State"), choices=MergeState.choices)


class ImportFilters(ListFilters):
    """Imports."""

    search_fields = ("name",)
    state = ChoiceFilter(label=_("State"), choices=ImportState.choices)

    def filter_search(self, rows: Any, name: str, text: str) -> Any:
        """Find by the file's name, which only readers who see people are shown."""
        return super().filter_search(rows, name, text) if can_see_pii(self.request.user) else rows.none()


class ImportRowFilters(ListFilters):
    """Rows of an import."""

    outcome = ChoiceFilter(label=_("Outcome"), choices=Outcome.choices)
    reason = TextFilter(label=_("Code of the reason"), max_length=60)
    changed = TextFilter(field_name="changes", lookup_expr="has_key", label=_("Trait that it changes"), max_length=100)
    left_out = TextFilter(label=_("Cell left out, as reason:column"), max_length=300, method="with_left_out")

    def with_left_out(self, rows: QuerySet[ImportRow], _name: str, value: str) -> QuerySet[ImportRow]:
        """Narrow to rows that came in without a cell of this column, for this reason."""
        code, _colon, column = value.partition(":")
        found = rows.filter(data__w__contains=[[column, code] if column else [code]])
        return found.exclude(outcome__in=(Outcome.REJECTED, Outcome.SKIPPED))


class CatalogueSearch(ListFilters):
    """Find entries of the catalogue."""

    search_fields = ("event", "path", "description")

    def filter_search(self, rows: Any, name: str, text: str) -> Any:
        """Find by name and description; only by names that the reader is shown."""
        found = super().filter_search(rows, name, text)
        reader = reader_of(self.request)
        if reader.sees_people:
            return found
        names = list(found.values_list("pk", "event", "path")[:MOST_NAMES])
        shown = reader.events(event for _pk, event, _path in names)
        return rows.filter(
            pk__in=[pk for pk, event, path in names if shown[event] == event and mask_text(path) == path]
        )


class CatalogueFilters(CatalogueSearch):
    """Traits and events."""

    what = ChoiceFilter(
        label=_("What"),
        choices=(("trait", _("traits")), ("event", _("events"))),
        field_name="scope",
        empty_label=_("traits and events"),
    )
    type = ChoiceFilter(
        label=_("Values are"), choices=tuple(TYPE_LABELS.items()), field_name="types", lookup_expr="has_key"
    )
    pii = ChoiceFilter(
        label=_("Personal data"),
        choices=(
            ("undecided", _("not decided")),
            (PiiClass.OPEN, _("not personal")),
            (PiiClass.PERSONAL, _("personal")),
        ),
        method="filter_pii",
    )

    def filter_pii(self, rows: Any, _name: str, value: str) -> Any:
        """Keep what is of a class."""
        return rows.filter(pii="" if value == "undecided" else value)
