"""Reads of campaigns."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now


class CampaignQuerySet(models.QuerySet[Any]):
    """Chainable reads of campaigns."""

    def matching(self, text: str) -> CampaignQuerySet:
        """Keep those whose name holds `text`."""
        return self.filter(name__icontains=text) if text else self

    def due(self) -> CampaignQuerySet:
        """Keep those whose hour has come by the database's clock: a worker's own clock may be wrong."""
        return self.filter(status="scheduled", scheduled_at__lte=Now())

    def under_way(self) -> CampaignQuerySet:
        """Keep those that are being sent or held."""
        return self.filter(status__in=["sending", "paused"])
