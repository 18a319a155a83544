"""How people are listed and found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

if TYPE_CHECKING:
    from profiles.models.profile import Profile

    Base = models.QuerySet[Profile]
else:
    Base = models.QuerySet

MAX_WORDS = 6


def last_seen_key() -> Coalesce:
    """Return the expression that people are sorted and selected by who were seen last: who was never seen comes last.

    It is that of the index; in SQL it is `profiles.identity.alive.last_seen`.
    """
    return Coalesce("last_seen_at", models.Value(datetime(1970, 1, 1, tzinfo=UTC)))


class ProfileQuerySet(Base):
    """Chainable reads of people."""

    def alive(self) -> Self:
        """Keep people of today: neither merged into another nor erased. In SQL: `profiles.identity.alive`."""
        return self.filter(merged_into=None, erased_at=None)

    def usable(self) -> Self:
        """Keep people of today whose data may be used: those not restricted. In SQL: `profiles.identity.alive`."""
        return self.alive().filter(restricted_at=None)

    def listed(self) -> Self:
        """Keep people of today, without the wide columns that no list shows, and with `seen_key` to sort by."""
        return self.alive().annotate(seen_key=last_seen_key()).defer("traits", "origins", "search_text")

    def by_last_seen(self) -> Self:
        """Put those first who were seen last, and those last who were never seen."""
        return self.order_by(last_seen_key().desc(), "-id")

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

    def found_by(self, text: str, sees_people: bool) -> Self:
        """Keep people that a reader finds by a text: who may not see names finds nobody but by a whole public id.

        Else a search would tell, letter by letter, what is masked.
        """
        if sees_people:
            return self.matching(text)
        try:
            return self.filter(uuid=UUID(text.strip()))
        except ValueError:
            return self.none()

    def seen_within(self, days: int) -> Self:
        """Keep people seen in the last `days`."""
        return self.alias(seen=last_seen_key()).filter(seen__gte=timezone.now() - timedelta(days=days))


ProfileManager = models.Manager.from_queryset(ProfileQuerySet)
