"""What segments bring to the rest: navigation, panels, queue, API, search, personal data."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common import registry
from cdp.common.exports import export_kinds
from profiles.changes import change_handlers
from profiles.importing.targets import undoers
from segments import changes, panels, personal_data, retention
from segments.api import SegmentViewSet
from segments.api_lists import ListViewSet
from segments.erasing import take_out_of_rules
from segments.export_kinds import MEMBERS
from segments.imports import lists_undoer


def register() -> None:
    """Fill the registries."""
    registry.navigation.add(
        "segments",
        registry.NavEntry(
            group="customers",
            label=_("Segments"),
            url_name="segments:list",
            order=30,
            permission="segments.view_segment",
        ),
    )
    change_handlers.add("segments", changes.touch)
    undoers.add("lists", lists_undoer)
    registry.personal_data.add(
        "segments",
        registry.PersonalDataHolder(collect=personal_data.collect, erase=personal_data.erase, notes=take_out_of_rules),
    )
    registry.timeline.add("segments", panels.timeline)
    registry.profile_panels.add(
        "segments",
        registry.ProfilePanel(
            template="segments/panel.html", context=panels.panel, order=30, permission="segments.view_segment"
        ),
    )
    registry.search_providers.add("segments", panels.search)
    registry.people_actions.add(
        "segments",
        registry.PeopleAction(
            label=_("Add to a list"),
            url_name="segments:list_add",
            permissions=("segments.change_segment", "profiles.view_profile", "profiles.view_pii"),
        ),
    )
    registry.home_cards.add(
        "segments_moved",
        registry.HomeCard(
            template="segments/home_card.html",
            context=panels.moved_card,
            slot="side",
            order=30,
            permission="segments.view_segment",
        ),
    )
    registry.health_checks.add(
        "segments",
        registry.HealthCheck(label=_("Segments"), run=panels.broken_check, critical=False),
    )
    registry.profile_parts.add(
        "segments",
        registry.ProfilePart(
            serializer=panels.SegmentOfPerson, values=panels.segments_of, permission="segments.view_segment"
        ),
    )
    export_kinds.add("members", MEMBERS)
    registry.api_routes.add("segments", SegmentViewSet)
    registry.api_routes.add("lists", ListViewSet)
    retention.register()
