"""How people are listed and found."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from profiles.models import Profile

MAX_WORDS = 6


def listed_people() -> QuerySet[Profile]:
    """Return people that are neither merged into another nor erased, without the wide columns."""
    return Profile.objects.filter(merged_into=None, erased_at=None).defer("traits", "origins", "search_text")


def matching(rows: QuerySet[Profile], text: str) -> QuerySet[Profile]:
    """Narrow to people of whom every word stands somewhere in the names, addresses and ids.

    A word of one or two letters is sought at the start of words only: the trigram index can answer that, while it
    cannot answer "anywhere" for so short a text.
    """
    for word in text.lower().split()[:MAX_WORDS]:
        if len(word) < 3:
            rows = rows.filter(Q(search_text__startswith=word) | Q(search_text__contains=f" {word}"))
        else:
            rows = rows.filter(search_text__contains=word)
    return rows


def seen_within(rows: QuerySet[Profile], days: int) -> QuerySet[Profile]:
    """Narrow to people seen in the last `days`."""
    return rows.filter(last_seen_at__gte=timezone.now() - timedelta(days=days))
