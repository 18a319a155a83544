"""The parts that campaigns hands to the registries. Called once, from AppConfig.ready()."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from campaigns import panels, personal_data, retention, tasks
from campaigns.api.export_kinds import DELIVERIES
from campaigns.api.sends import SendViewSet
from campaigns.api.views import CampaignViewSet, DeliveryViewSet, MessageViewSet
from campaigns.sending import restored
from campaigns.services.letters import send_letter
from cdp.common import registry
from cdp.common.exports import export_kinds
from consent.services.confirming import mailed_addresses
from consent.services.raising import letter_senders
from profiles.changes import keepers
from segments.uses import segment_uses

__all__ = ["register", "tasks"]  # tasks are imported so that Celery knows them in every process


def register() -> None:
    """Fill the registries."""
    registry.navigation.add(
        "campaigns",
        registry.NavEntry(
            group="reach", label=_("Campaigns"), url_name="campaigns:campaigns", order=10,
            permission="campaigns.view_campaign", match="/campaigns/",
        ),
    )  # fmt: skip
    registry.navigation.add(
        "messages",
        registry.NavEntry(
            group="reach", label=_("Messages"), url_name="campaigns:messages", order=30,
            permission="campaigns.view_message", match="/messages/",
        ),
    )  # fmt: skip
    export_kinds.add("deliveries", DELIVERIES)
    keepers.add("campaigns", personal_data.keep_people)
    segment_uses.add("campaigns", panels.uses_of_segment)
    letter_senders.add("campaigns", send_letter)
    mailed_addresses.add("campaigns", personal_data.address_of_message)
    registry.personal_data.add(
        "campaigns", registry.PersonalDataHolder(collect=personal_data.collect, erase=personal_data.erase)
    )
    registry.timeline.add("campaigns", panels.timeline_entries)
    registry.profile_panels.add(
        "campaigns",
        registry.ProfilePanel(
            template="campaigns/_profile_panel.html",
            context=panels.profile_panel,
            order=60,
            permission="campaigns.view_delivery",
        ),
    )
    registry.restore_handlers.add("campaigns", registry.RestoreHandler(halt=restored.halt, settle=restored.settle))
    registry.search_providers.add("campaigns", panels.search)
    registry.home_cards.add(
        "campaigns",
        registry.HomeCard(
            template="campaigns/_home_card.html", context=panels.home_card, slot="wide", order=20,
            permission="campaigns.view_campaign",
        ),
    )  # fmt: skip
    retention.register()
    registry.api_routes.add("messages", MessageViewSet)
    registry.api_routes.add("campaigns", CampaignViewSet)
    registry.api_routes.add("deliveries", DeliveryViewSet)
    registry.api_routes.add("sends", SendViewSet)
