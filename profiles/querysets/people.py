"""How people are listed and found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

if TYPE_CHECKING:
    from profiles.models.profile import Profile

    Base = models.QuerySet[Profile]
else:
    Base = models.QuerySet

MAX_WORDS = 6


class ProfileQuerySet(Base):
    """Chainable reads of people."""

    def alive(self) -> Self:
        """Keep people of today: neither merged into another nor erased. In SQL: `profiles.identity.alive`."""
        return self.filter(merged_into=None, erased_at=None)

    def listed(self) -> Self:
        """Keep people of today, without the wide columns that no list shows."""
        return self.alive().defer("traits", "origins", "search_text")

    def matching(self, text: str) -> Self:
        """Keep people of whom every word stands somewhere in the names, addresses and ids.

        A word of one or two letters is sought at the start of words only: the trigram index can answer that, while it
        cannot answer "anywhere" for so short a text.
        """
        rows = self
        for word in text.lower().split()[:MAX_WORDS]:
            if len(word) < 3:
                rows = rows.filter(Q(search_text__startswith=word) | Q(search_text__contains=f" {word}"))
            else:
                rows = rows.filter(search_text__contains=word)
        return rows

    def seen_within(self, days: int) -> Self:
        """Keep people seen in the last `days`."""
        return self.filter(last_seen_at__gte=timezone.now() - timedelta(days=days))


ProfileManager = models.Manager.from_queryset(ProfileQuerySet)
