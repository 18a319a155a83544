"""Filters of segments, their members and their history."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from cdp.common.filters import ChoiceFilter, ListFilters
from cdp.common.masking import can_see_pii
from profiles.models import Profile
from segments.models import Kind, Status


class SegmentFilters(ListFilters):
    """Segments."""

    search_fields = ("name", "description")
    kind = ChoiceFilter(label=_("Kind"), choices=Kind.choices)
    status = ChoiceFilter(label=_("State"), choices=Status.choices, empty_label=_("not archived"))

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Leave archived segments out unless they are asked for."""
        found = super().narrow(rows)
        return found if self.chosen().get("status") else found.exclude(status=Status.ARCHIVED)


class MemberFilters(ListFilters):
    """Members of a segment."""

    def filter_search(self, rows: Any, _name: str, text: str) -> Any:
        """Narrow to people whose names or addresses have every word."""
        people = Profile.objects.alive().found_by(text, can_see_pii(self.request.user))
        return rows.filter(profile_id__in=people.values("id"))


class ChangeFilters(ListFilters):
    """Who came into a segment and who left it."""

    what = ChoiceFilter(
        label=_("What"), choices=(("in", _("came in")), ("out", _("left"))), method="filter_what", empty_label=_("both")
    )

    def filter_what(self, rows: Any, _name: str, value: str) -> Any:
        """Keep arrivals, or departures."""
        return rows.filter(entered=value == "in")
