"""Reads of campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from campaigns.models.campaign import Campaign

    Base = models.QuerySet[Campaign]
else:
    Base = models.QuerySet


class CampaignQuerySet(Base):
    """Chainable reads of campaigns."""

    def matching(self, text: str) -> Self:
        """Keep those whose name holds `text`."""
        return self.filter(name__icontains=text) if text else self

    def campaigns(self) -> Self:
        """Leave out what single sends share."""
        return self.filter(kind="campaign")

    def due(self) -> Self:
        """Keep those whose hour has come by the database's clock: a worker's own clock may be wrong."""
        return self.filter(status="scheduled", scheduled_at__lte=Now())

    def under_way(self) -> Self:
        """Keep those that are being sent or held."""
        return self.filter(status__in=["sending", "paused"])

    def committed(self) -> Self:
        """Keep those that were scheduled and have not ended."""
        return self.filter(status__in=["scheduled", "sending", "paused"])

    def using_segment(self, segment_id: int) -> Self:
        """Keep those that a segment is for, or that leave it out."""
        return self.filter(models.Q(segment_id=segment_id) | models.Q(exclude_segment_ids__contains=[segment_id]))


CampaignManager = models.Manager.from_queryset(CampaignQuerySet)
