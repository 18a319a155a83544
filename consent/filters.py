"""Filters of the consent log, purposes and the suppression list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from cdp.common.filters import ChoiceFilter, IdFilter, ListFilters, MomentFilter, TextFilter, within_days
from consent.models import Channel, Purpose, SuppressionReason
from consent.models.ledger import Method, State
from consent.querysets.records import of_person
from profiles.filters import PersonFilter, source_choices
from profiles.models import Profile

PERIODS = (("1", _("last day")), ("7", _("last 7 days")), ("30", _("last 30 days")), ("365", _("last year")))
ACTORS = (
    ("subject", _("the person")),
    ("user:", _("a user")),
    ("token:", _("an API token")),
    ("source:", _("a source")),
    ("system:", _("a rule")),
)


def purpose_choices() -> Sequence[tuple[str, str]]:
    """Return the purposes as choices."""
    return list(Purpose.objects.order_by("name").values_list("slug", "name")[:200])


class RecordFilters(ListFilters):
    """The consent log."""

    profile = django_filters.UUIDFilter(label=_("ID of the person"), method="filter_profile")
    purpose = ChoiceFilter(label=_("Purpose"), choices=purpose_choices, field_name="purpose__slug")
    channel = ChoiceFilter(label=_("Channel"), choices=Channel.choices)
    state = ChoiceFilter(label=_("Said"), choices=State.choices)
    method = ChoiceFilter(label=_("How"), choices=Method.choices)
    source = ChoiceFilter(label=_("Source"), choices=source_choices, field_name="source_id")
    actor = ChoiceFilter(label=_("By"), choices=ACTORS, lookup_expr="startswith")
    period = ChoiceFilter(label=_("Period"), choices=PERIODS, method=within_days("recorded_at"))
    reference = TextFilter(label=_("Reference"))
    text = IdFilter(label=_("Number of the words shown"), field_name="text_id")

    def filter_profile(self, rows: Any, _name: str, value: Any) -> Any:
        """Keep what a person said, under whatever profile."""
        profile = Profile.objects.filter(uuid=value).first()
        return of_person(rows, profile.pk) if profile is not None else rows.none()

    def filter_search(self, rows: Any, name: str, text: str) -> Any:
        """Find by the public id of a person, or by the reference (delivery:…, import:…, message:…)."""
        if ":" in text:
            return rows.filter(reference=text)
        try:
            return self.filter_profile(rows, name, text)
        except ValidationError:
            return rows.none()


class RecordApiFilters(RecordFilters):
    """The consent log, as programs ask for it: by public ids."""

    profile = purpose = source = text = reference = actor = period = None  # type: ignore[assignment]  # left out
    profile_id = PersonFilter(keep=of_person, label=_("The person: an id, or kind:value"))
    purpose_id = TextFilter(field_name="purpose__slug", label=_("ID of the purpose"))
    source_id = TextFilter(field_name="source__slug", label=_("ID of the source"))
    recorded_since = MomentFilter(field_name="recorded_at", lookup_expr="gte", label=_("From this moment on"))
    recorded_before = MomentFilter(field_name="recorded_at", lookup_expr="lt", label=_("Before this moment"))


class PurposeFilters(ListFilters):
    """Purposes."""

    search_fields = ("name",)


class SuppressionFilters(ListFilters):
    """The suppression list."""

    reason = ChoiceFilter(label=_("Reason"), choices=SuppressionReason.choices)
    state = ChoiceFilter(
        label=_("State"), choices=(("on", _("in force")), ("lifted", _("lifted"))), method="filter_state"
    )

    def filter_state(self, rows: Any, _name: str, value: str) -> Any:
        """Keep the entries in force, or those that were lifted."""
        return rows.filter(lifted_at__isnull=value == "on")

    def filter_search(self, rows: Any, _name: str, text: str) -> Any:
        """Find by the beginning of a digest."""
        return rows.filter(digest__startswith=text.lower())
