"""The parts that campaigns hands to the registries. Called once, from AppConfig.ready()."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from campaigns import holders, tasks
from campaigns.api.views import CampaignViewSet, DeliveryViewSet, MessageViewSet
from cdp.common.registry import (
    HomeCard,
    NavEntry,
    PersonalDataHolder,
    ProfilePanel,
    QueueDepth,
    api_routes,
    home_cards,
    navigation,
    personal_data,
    profile_panels,
    queues,
    search_providers,
    timeline,
)
from profiles.handlers import keepers

__all__ = ["register", "tasks"]  # tasks are imported so that Celery knows them in every process


def register() -> None:
    """Fill the registries."""
    navigation.add(
        "campaigns",
        NavEntry(
            group="reach", label=_("Campaigns"), url_name="campaigns:campaigns", order=10,
            permission="campaigns.view_campaign", match="/campaigns/",
        ),
    )  # fmt: skip
    navigation.add(
        "messages",
        NavEntry(
            group="reach", label=_("Messages"), url_name="campaigns:messages", order=30,
            permission="campaigns.view_message", match="/messages/",
        ),
    )  # fmt: skip
    keepers.add("campaigns", holders.keep_people)
    personal_data.add("campaigns", PersonalDataHolder(collect=holders.collect, erase=holders.erase))
    timeline.add("campaigns", holders.timeline_entries)
    profile_panels.add(
        "campaigns",
        ProfilePanel(
            template="campaigns/_profile_panel.html",
            context=holders.profile_panel,
            order=60,
            permission="campaigns.view_delivery",
        ),
    )
    queues.add("sends", QueueDepth(measure=holders.queue_depth))
    search_providers.add("campaigns", holders.search)
    home_cards.add(
        "campaigns",
        HomeCard(
            template="campaigns/_home_card.html", context=holders.home_card, slot="wide", order=20,
            permission="campaigns.view_campaign",
        ),
    )  # fmt: skip
    api_routes.add("messages", MessageViewSet)
    api_routes.add("campaigns", CampaignViewSet)
    api_routes.add("deliveries", DeliveryViewSet)
