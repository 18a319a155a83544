"""What collection and identity hand to the registries: the holder of personal data, API routes."""

from __future__ import annotations

from cdp.common.registry import PersonalDataHolder, api_routes, personal_data
from profiles import retention
from profiles.api.interactions import InteractionViewSet
from profiles.api.profiles import ProfileViewSet
from profiles.api.sources import SourceViewSet
from profiles.services.personal_data import collect, erase, prepare


def register() -> None:
    """Fill the registries; called once, from AppConfig.ready()."""
    personal_data.add("profiles", PersonalDataHolder(collect=collect, erase=erase, prepare=prepare))
    retention.register()
    api_routes.add("profiles", ProfileViewSet)
    api_routes.add("interactions", InteractionViewSet)
    api_routes.add("sources", SourceViewSet)
