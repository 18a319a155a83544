"""Small makers of people and what they did, for tests. Each writes rows straight, without processing."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from profiles.models import Identifier, Interaction, Merge, Profile, Source, TraitChange

_numbers = count(1)


def make_source(name: str = "Web shop", kind: str = "browser", **fields: Any) -> Source:
    """Make a source."""
    slug = fields.pop("slug", f"{name.lower().replace(' ', '-')}-{next(_numbers)}")
    return Source.objects.create(name=name, slug=slug, kind=kind, **fields)


def make_profile(*, name: str = "", email: str = "", traits: dict[str, Any] | None = None, **fields: Any) -> Profile:
    """Make a person; `search_text` is written as the processor does."""
    now = timezone.now()
    fields.setdefault("first_seen_at", now - timedelta(days=30))
    fields.setdefault("last_seen_at", now)
    fields.setdefault("identified", bool(email))
    fields.setdefault("search_text", f"{name} {email}".lower().strip())
    person = Profile.objects.create(display_name=name, email=email, traits=traits or {}, **fields)
    if email:
        make_identifier(person, "email", email, anchored_profile_id=person.pk)
    return person


def make_identifier(profile: Profile, kind: str, value: str, **fields: Any) -> Identifier:
    """Make an identifier of a person."""
    fields.setdefault("first_seen_at", profile.first_seen_at)
    fields.setdefault("last_seen_at", profile.last_seen_at)
    return Identifier.objects.create(profile=profile, kind=kind, value=value, **fields)


def make_interaction(
    profile: Profile,
    name: str = "Product Viewed",
    *,
    at: datetime | None = None,
    kind: str = "track",
    properties: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    source: Source | None = None,
) -> Interaction:
    """Make one interaction."""
    return make_interactions(profile, [(name, at or timezone.now(), properties or {})], kind, context, source)[0]


def make_interactions(
    profile: Profile,
    rows: list[tuple[str, datetime, dict[str, Any]]],
    kind: str = "track",
    context: dict[str, Any] | None = None,
    source: Source | None = None,
) -> list[Interaction]:
    """Make many interactions (name, time, properties) in one statement."""
    made = [
        Interaction(
            id=next(_numbers),
            profile_id=profile.pk,
            identifier_id=0,
            occurred_at=at,
            received_at=at,
            kind=kind,
            name=name,
            properties=properties,
            context=context or {},
            source_id=source.pk if source else 0,
            message_id=f"message-{next(_numbers)}",
        )
        for name, at, properties in rows
    ]
    return Interaction.objects.bulk_create(made)


def make_trait_change(profile: Profile, key: str, old: Any, new: Any, **fields: Any) -> TraitChange:
    """Make a row of a trait's history."""
    fields.setdefault("at", timezone.now())
    fields.setdefault("cause", "identify")
    return TraitChange.objects.create(profile=profile, key=key, old=old, new=new, **fields)


def make_merge(winner: Profile, loser: Profile, **fields: Any) -> Merge:
    """Make a row of a join; it moves nothing."""
    fields.setdefault("cause", "link")
    fields.setdefault("moved", {"identifiers": [1, 2, 3], "kept": [4]})
    return Merge.objects.create(winner=winner, loser=loser, **fields)
