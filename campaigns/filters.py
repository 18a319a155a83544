"""Filters of messages, campaigns and decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django_filters
from django.utils.translation import gettext_lazy as _

from campaigns.models import CampaignStatus, Outcome
from campaigns.reasons import DELIVERY_REASONS
from cdp.common.filters import ChoiceFilter, IdFilter, ListFilters
from cdp.common.masking import can_see_pii
from profiles.filters import PersonFilter
from profiles.models import Profile

#: people whom a search among decisions looks for at most
MOST_FOUND = 1_000


def reason_choices() -> Sequence[tuple[str, str]]:
    """Return the reasons as choices, in the reader's language."""
    return DELIVERY_REASONS.choices()


class MessageFilters(ListFilters):
    """Messages."""

    search_fields = ("name", "current_version__subject")


class CampaignFilters(ListFilters):
    """Campaigns."""

    search_fields = ("name",)
    status = ChoiceFilter(label=_("State"), choices=CampaignStatus.choices)


class DeliveryFilters(ListFilters):
    """Decisions: who got a message, who did not, and why."""

    campaign = IdFilter(field_name="campaign_id", label=_("Campaign"))
    profile = IdFilter(field_name="profile_id", label=_("Number of the person"))
    outcome = ChoiceFilter(label=_("Outcome"), choices=Outcome.choices)
    reason = ChoiceFilter(label=_("Why"), choices=reason_choices)

    def filter_search(self, rows: Any, _name: str, text: str) -> Any:
        """Find by what the people's search box finds: only by a whole id for readers who may not see names."""
        people = Profile.objects.found_by(text, can_see_pii(self.request.user))
        found = people.values_list("pk", flat=True)[:MOST_FOUND]
        return rows.filter(profile_id__in=list(found))


def _of_person(rows: Any, profile_id: int) -> Any:
    return rows.filter(profile_id=profile_id)


class DeliveryApiFilters(DeliveryFilters):
    """Decisions, as programs ask for them: by public ids."""

    campaign = profile = None  # type: ignore[assignment]  # how a declared filter is left out
    campaign_id = django_filters.UUIDFilter(field_name="campaign__uuid", label=_("ID of the campaign"))
    profile_id = PersonFilter(keep=_of_person, label=_("The person: an id, or kind:value"))
