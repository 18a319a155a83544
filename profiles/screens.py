"""What profiles hands to the registries for its pages: navigation, the person's timeline, the search box."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.registry import NavEntry, navigation, search_providers, timeline
from profiles.timeline import interactions, merges, trait_changes
from profiles.views.people import search_box

ENTRIES = {
    "people": NavEntry(
        group="customers",
        label=_("People"),
        url_name="profiles:people",
        order=10,
        permission="profiles.view_profile",
    ),
    "sources": NavEntry(
        group="bring_in",
        label=_("Sources"),
        url_name="profiles:sources",
        order=10,
        permission="profiles.view_source",
    ),
    "imports": NavEntry(
        group="bring_in",
        label=_("Imports"),
        url_name="profiles:imports",
        order=20,
        permission="profiles.view_import",
    ),
    "live": NavEntry(
        group="bring_in",
        label=_("Live events"),
        url_name="profiles:live",
        order=30,
        permission="profiles.view_source",
    ),
    "catalogue": NavEntry(
        group="bring_in",
        label=_("Catalogue"),
        url_name="profiles:catalogue",
        order=40,
        permission="profiles.view_catalogueentry",
    ),
}


def register() -> None:
    """Fill the registries; called once, from AppConfig.ready()."""
    for name, entry in ENTRIES.items():
        navigation.add(name, entry)
    timeline.add("profiles.interactions", interactions)
    timeline.add("profiles.traits", trait_changes)
    timeline.add("profiles.merges", merges)
    search_providers.add("profiles.people", search_box)
