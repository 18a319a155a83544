"""Reads of the decision ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Count

if TYPE_CHECKING:
    from campaigns.models.delivery import Delivery

    Base = models.QuerySet[Delivery]
else:
    Base = models.QuerySet


@dataclass(frozen=True)
class Tally:
    """How many people per outcome and reason; `total` is the audience, so that everything adds up to it."""

    by_outcome: dict[str, int]
    by_reason: dict[tuple[str, str], int]

    @property
    def total(self) -> int:
        """Return everybody decided upon."""
        return sum(self.by_outcome.values())

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[str, str, int]]) -> Tally:
        """Return the tally of (outcome, reason, people) rows."""
        tally = cls({}, {})
        for outcome, reason, people in rows:
            tally.by_outcome[outcome] = tally.by_outcome.get(outcome, 0) + people
            tally.by_reason[outcome, reason] = people
        return tally

    def as_rows(self) -> list[tuple[str, str, int]]:
        """Return the tally as (outcome, reason, people) rows."""
        return [(outcome, reason, people) for (outcome, reason), people in self.by_reason.items()]

    def of(self, outcome: str) -> int:
        """Return the people with this outcome."""
        return self.by_outcome.get(outcome, 0)


class DeliveryQuerySet(Base):
    """Chainable reads of deliveries."""

    def of_campaign(self, campaign_id: int) -> Self:
        """Keep those of one campaign."""
        return self.filter(campaign_id=campaign_id)

    def of_profile(self, profile_id: int) -> Self:
        """Keep those of one person."""
        return self.filter(profile_id=profile_id)

    def tally(self) -> Tally:
        """Count by outcome and reason, in one statement over the index."""
        counted = self.order_by().values_list("outcome", "reason").annotate(people=Count("profile_id"))
        return Tally.of_rows(counted)


DeliveryManager = models.Manager.from_queryset(DeliveryQuerySet)
