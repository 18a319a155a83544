"""The parts that consent hands to the registries. Called once, from AppConfig.ready()."""

from __future__ import annotations

from consent import tasks
from consent.handlers import lookup_tombstones, on_change
from consent.services.erasing import collect_consent_data, erase_consent_data
from cdp.common.registry import PersonalDataHolder, personal_data
from profiles.handlers import change_handlers, tombstones

__all__ = ["register", "tasks"]  # tasks are imported so that Celery knows them in every process


def register() -> None:
    """Fill the registries."""
    change_handlers.add("consent", on_change)
    tombstones.add("consent", lookup_tombstones)
    personal_data.add("consent", PersonalDataHolder(collect=collect_consent_data, erase=erase_consent_data))
