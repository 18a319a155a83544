"""What the processor must know of sources and kinds; read once per block."""

from __future__ import annotations

from dataclasses import dataclass

from profiles.identity.graph import Kind
from profiles.messages.model import Rules
from profiles.models import IdentifierKind, Source


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source as far as belief goes."""

    id: int
    trusted: bool
    slug: str


def load_rules() -> Rules:
    """Return the kinds of identifier with their limits and blocked values."""
    rows = list(IdentifierKind.objects.all())
    return Rules(
        {row.name: Kind(row.name, row.priority, row.limit) for row in rows},
        {row.name: frozenset(row.blocked_values) for row in rows if row.blocked_values},
    )


def load_sources() -> dict[int, SourceInfo]:
    """Return every source by id."""
    return {row.pk: source_info(row) for row in Source.objects.all()}


def source_info(source: Source) -> SourceInfo:
    """Return what the processor must know of one source."""
    return SourceInfo(source.pk, source.trusted, source.slug)
