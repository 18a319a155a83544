"""Reads of the catalogue: what there is, of which type, with which frequent values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

from django.db import models

if TYPE_CHECKING:
    from profiles.models.catalogue import CatalogueEntry

    Base = models.QuerySet[CatalogueEntry]
else:
    Base = models.QuerySet

#: values seen fewer times than this may be about one person: they are never shown
SHOWN_FROM = 3
MAX_PROPOSALS = 3


class CatalogueQuerySet(Base):
    """Chainable reads of catalogue entries."""

    def traits(self) -> Self:
        """Keep traits."""
        return self.filter(scope="trait")

    def events(self) -> Self:
        """Keep events, without their properties."""
        return self.filter(scope="event")

    def properties(self, event: str) -> Self:
        """Keep the properties of an event."""
        return self.filter(scope="property", event=event)

    def fields_of(self, event: str) -> Self:
        """Keep the properties of an event; the traits when it has no name."""
        return self.properties(event) if event else self.traits()

    def frequent_first(self) -> Self:
        """Order by how much there is of each."""
        return self.order_by("-people", "-count", "event", "path")

    def top_traits(self, limit: int = 200) -> list[tuple[str, int]]:
        """Return traits, not what is inside them, with how many people have each."""
        rows = self.traits().exclude(path__contains=".").exclude(path__contains="[").frequent_first()
        return list(rows.values_list("path", "people")[:limit])

    def types_of(self, paths: Collection[str], *, event: str = "") -> dict[str, frozenset[str]]:
        """Return the types that each of these traits (or properties) was seen in; those unknown are left out."""
        rows = self.fields_of(event).filter(path__in=list(paths))
        return {path: frozenset(types) for path, types in rows.values_list("path", "types")}

    def proposals(self, path: str, *, event: str = "") -> list[str]:
        """Return known names like an unknown one: the same last part elsewhere first, then similar spelling."""
        known = list(self.fields_of(event).frequent_first().values_list("path", flat=True)[:500])
        return propose(path, known)

    def inside(self, path: str, *, event: str = "") -> list[str]:
        """Return the members of an object, or of the lines of a list, that stands at a path."""
        starts = models.Q(path__startswith=f"{path}[].") | models.Q(path__startswith=f"{path}.")
        starts |= models.Q(path=f"{path}[]")
        rows = self.fields_of(event).filter(starts).frequent_first()
        return list(rows.values_list("path", flat=True)[:MAX_PROPOSALS])

    def similar_events(self, name: str) -> list[str]:
        """Return events with a name like an unknown one."""
        return propose(name, list(self.events().frequent_first().values_list("event", flat=True)[:1000]))


def propose(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three of the known names that an unknown one may have meant.

    `products.category` means `products[].category`; `Category` means `category`; then spelling decides.
    """
    names = list(known)
    plain = _plain(name)
    found = [item for item in names if _plain(item) == plain]
    found += [item for item in names if item not in found and _last(item) == _last(name)]
    folded = {item.casefold(): item for item in reversed(names)}
    close = get_close_matches(name.casefold(), folded, n=MAX_PROPOSALS, cutoff=0.7)
    found += [folded[item] for item in close if folded[item] not in found]
    return found[:MAX_PROPOSALS]


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _last(name: str) -> str:
    return name.casefold().replace("[]", "").rpartition(".")[2]


def frequent_values(entry: Any, *, limit: int = 30) -> list[str]:
    """Return the values of an entry that were seen several times, most frequent first."""
    ranked = sorted(entry.top_values.items(), key=lambda item: (-item[1], item[0]))
    return [value for value, count in ranked if count >= SHOWN_FROM][:limit]


CatalogueManager = models.Manager.from_queryset(CatalogueQuerySet)
