"""What an erasure leaves: words of the person in what is somebody else's. The receipt names it; people decide."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection

from consent.mentions import Place, file_holds, find_mentions
from profiles.identity.whole_words import telling
from profiles.models import Import

#: a page waits for this; `manage.py verify_erasure` takes its time
SEARCH_SECONDS = 4.0
#: people whose traits mention the erased person are named up to a number
MOST_NAMED = 20
_TRAITS = Place("profiles_profile", "traits")


def find_leftovers(values: Collection[str]) -> dict[str, Any]:
    """Return where identifiers of an erased person still stand, as the receipt keeps it.

    `found` [[table, column, rows]], `unsearched` [[table, column]], `people` whose traits hold them [uuid], `imports`
    whose waiting files do [id], `short`: how many are too short to be searched for. Stored bodies are left out: these
    were found by digest.
    """
    words = telling(values)
    mentions = find_mentions(words, seconds=SEARCH_SECONDS, bytes_too=False)
    return {
        "found": [[place.table, place.column, rows] for place, rows in sorted(mentions.found.items())],
        "unsearched": [[place.table, place.column] for place in sorted(mentions.unsearched)],
        "people": _people_with(words) if _TRAITS in mentions.found else [],
        "imports": _imports_with(words),
        "short": len(set(values)) - len(words),
    }


def _people_with(words: Collection[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT uuid FROM profiles_profile WHERE EXISTS (SELECT 1 FROM unnest(%s::text[]) word"
            " WHERE strpos(lower(traits::text), word) > 0) ORDER BY id LIMIT %s",
            [[word.lower() for word in words], MOST_NAMED],
        )
        return [str(uuid) for (uuid,) in cursor.fetchall()]


def _imports_with(words: Collection[str]) -> list[int]:
    """Return the imports whose file is still there and holds one of these words."""
    found = []
    for job in Import.objects.exclude(file="").order_by("pk") if words else ():
        try:
            with job.file.open("rb") as file:
                if file_holds(file, words):
                    found.append(job.pk)
        except OSError:  # it was just taken away
            continue
    return found
