"""What every source says about a trait of a person."""

from __future__ import annotations

from profiles.identity.traits import Word, words_on
from profiles.models import Identifier


def said_about(profile_id: int, name: str) -> list[Word]:
    """Return every source's word on a trait, the one that stands first."""
    rows = Identifier.objects.filter(profile_id=profile_id, assertions__has_key=name)
    return words_on(name, rows.values_list("assertions", "tied"))
