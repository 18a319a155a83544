"""What to offer while a rule is built: traits, values, events and properties of the catalogue, most frequent first."""

from __future__ import annotations

from profiles.models import CatalogueEntry
from profiles.querysets.catalogue import frequent_values

MAX_EVENTS = 300
MAX_KEYS = 400


def event_names() -> list[str]:
    """Return the names of events."""
    rows = CatalogueEntry.objects.events().frequent_first()
    return list(rows.values_list("event", flat=True)[:MAX_EVENTS])


def keys(event: str = "") -> list[str]:
    """Return traits (or properties of an event), those inside objects and lists too."""
    rows = CatalogueEntry.objects.fields_of(event).frequent_first()
    return list(rows.values_list("path", flat=True)[:MAX_KEYS])


def values(key: str, event: str = "") -> list[str]:
    """Return the frequent values of a trait (or property)."""
    entry = CatalogueEntry.objects.fields_of(event).filter(path=key).first() if key else None
    return frequent_values(entry) if entry is not None else []


def type_of(event: str, key: str) -> str:
    """Return the type most often seen; empty when unknown."""
    entry = CatalogueEntry.objects.fields_of(event).filter(path=key).first() if key else None
    return max(entry.types, key=lambda name: (entry.types[name], name)) if entry is not None and entry.types else ""
