"""Put bodies into the inbox as the collector does, and read back what became of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from profiles.models import Identifier, Interaction, Profile, Source
from profiles.processing.drain import drain_inbox

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def source(kind: str = "server", slug: str = "") -> Source:
    """Return a source of a kind."""
    return Source.objects.get_or_create(slug=slug or f"test-{kind}", defaults={"name": kind, "kind": kind})[0]


def put(origin: Source, items: Sequence[dict[str, Any]], *, at: datetime | None = None) -> int:
    """Store one batch body and its inbox row; return the raw id."""
    body = json.dumps({"batch": list(items)}).encode()
    when = at or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_rawmessage (received_at, source_id, endpoint, body) "
            "VALUES (%s, %s, 'batch', %s) RETURNING id",
            [when, origin.pk, body],
        )
        raw_id: int = cursor.fetchone()[0]
        cursor.execute(
            "INSERT INTO profiles_inbox (raw_id, received_at, source_id, attempts) VALUES (%s, %s, %s, 0)",
            [raw_id, when, origin.pk],
        )
    return raw_id


def again(raw_id: int) -> None:
    """Put a stored body into the inbox once more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_inbox SELECT id, received_at, source_id, 0 FROM profiles_rawmessage WHERE id = %s",
            [raw_id],
        )


def send(origin: Source, *items: dict[str, Any]) -> None:
    """Store one batch and process it."""
    put(origin, items)
    drain_inbox(seconds=30)


def identify(message_id: str, minute: int = 0, **fields: Any) -> dict[str, Any]:
    """Return an identify message."""
    return {"type": "identify", "messageId": message_id, "timestamp": moment(minute), **fields}


def track(message_id: str, event: str = "Seen", minute: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a track message."""
    return {"type": "track", "event": event, "messageId": message_id, "timestamp": moment(minute), **fields}


def moment(minute: int) -> str:
    """Return a time as SDKs write it."""
    return (NOW + timedelta(minutes=minute)).isoformat()


def person(kind: str, value: str) -> Profile:
    """Return who has an identifier."""
    return Identifier.objects.select_related("profile").get(kind=kind, value=value).profile


def world() -> list[dict[str, Any]]:
    """Return everybody, with identifiers, traits and interactions, free of database ids."""
    people = []
    for profile in Profile.objects.alive():
        interactions = Interaction.objects.filter(profile_id=profile.pk)
        people.append(
            {
                "identifiers": sorted(
                    (item.kind, item.value, item.trusted, item.tied) for item in profile.identifiers.all()
                ),
                "traits": profile.traits,
                "display_name": profile.display_name,
                "email": profile.email,
                "identified": profile.identified,
                "interactions": sorted((row.occurred_at, row.name, row.message_id) for row in interactions),
            }
        )
    return sorted(people, key=lambda item: json.dumps(item, default=str, sort_keys=True))
