"""What profiles hand to the registries: navigation, API, timeline, search, holders of personal data, retention."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.exports import export_kinds
from cdp.common.registry import (
    NavEntry,
    NotPersonal,
    PersonalDataHolder,
    api_documents,
    api_routes,
    navigation,
    not_personal,
    personal_data,
    search_providers,
    timeline,
)
from profiles import personal_data as own
from profiles import retention
from profiles.api import segment_openapi
from profiles.api.bulk import EventViewSet
from profiles.api.catalogue import CatalogueViewSet
from profiles.api.export_kinds import EVENTS, PEOPLE
from profiles.api.exports import ExportViewSet
from profiles.api.imports import ImportViewSet
from profiles.api.interactions import InteractionViewSet
from profiles.api.profiles import ProfileViewSet
from profiles.api.rejected import RejectedEventViewSet
from profiles.api.sources import SourceViewSet
from profiles.catalogue.public import open_paths, shown_events
from profiles.collector import openapi
from profiles.exporting import personal_data as exported
from profiles.importing import personal_data as imported
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
    not_personal.add("profiles", NotPersonal(paths=open_paths, events=shown_events))
    timeline.add("profiles.imports", imported.entries)
    personal_data.add("profiles", PersonalDataHolder(collect=own.collect, erase=own.erase, prepare=own.prepare))
    personal_data.add(
        "profiles.imports",
        PersonalDataHolder(collect=imported.collect, erase=imported.erase, prepare=imported.prepare),
    )
    personal_data.add("profiles.exports", PersonalDataHolder(collect=exported.collect, erase=exported.erase))
    export_kinds.add("people", PEOPLE)
    export_kinds.add("events", EVENTS)
    api_documents.add("profiles.collector", openapi.document)
    api_documents.add("profiles.segment_profile_api", segment_openapi.document)
    api_routes.add("profiles", ProfileViewSet)
    api_routes.add("interactions", InteractionViewSet)
    api_routes.add("events", EventViewSet)
    api_routes.add("exports", ExportViewSet)
    api_routes.add("catalogue", CatalogueViewSet)
    api_routes.add("rejected-events", RejectedEventViewSet)
    api_routes.add("sources", SourceViewSet)
    api_routes.add("imports", ImportViewSet)
    retention.register()
