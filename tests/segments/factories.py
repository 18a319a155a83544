"""People, what they did, and segments, for tests."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from cdp.common import queues
from profiles.catalogue.store import new_tally, write
from profiles.changes import Change, announce
from profiles.models import Identifier, Profile, Source
from segments import services
from segments.catalog_loader import known_catalog
from segments.membership import refresh_segment
from segments.models import Membership, Segment, TouchedProfile
from segments.sweeping import sweep_segment

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def person(
    *,
    traits: dict[str, Any] | None = None,
    name: str = "Anna",
    first: datetime | None = None,
    last: datetime | None = None,
) -> Profile:
    """Add a person; the catalogue learns of the traits, as it does from every writer."""
    now = timezone.now()
    tally = new_tally()
    for key, value in (traits or {}).items():
        tally.trait(key, None, value, at=now, source_id=None)
    write(tally)
    return Profile.objects.create(
        uuid=uuid.uuid4(),
        traits=traits or {},
        display_name=name,
        search_text=name.lower(),
        first_seen_at=first or now - timedelta(days=10),
        last_seen_at=last or now,
    )


def happened(profile: Profile, name: str, at: datetime | None = None, **properties: Any) -> None:
    """Add something that a person did; the catalogue learns of it."""
    tally = new_tally()
    tally.event(name, properties, at=at or timezone.now(), source_id=None)
    write(tally)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_interaction (profile_id, identifier_id, occurred_at, received_at, kind, name, "
            "properties, context, source_id, message_id) "
            "VALUES (%s, 0, %s, now(), 'track', %s, %s::jsonb, '{}', 0, %s)",
            [profile.pk, at or timezone.now(), name, json.dumps(properties), uuid.uuid4().hex],
        )


def identifier(profile: Profile, kind: str, value: str) -> Identifier:
    """Give a person an identifier."""
    now = timezone.now()
    return Identifier.objects.create(
        profile=profile, kind=kind, value=value, source=Source.objects.first(), first_seen_at=now, last_seen_at=now
    )


def changed(*profiles: Profile) -> None:
    """Announce that people changed."""
    announce(Change(profile_ids={profile.pk for profile in profiles}, cause="collect"))


def trait(key: str, operator: str, value: Any = None) -> dict[str, Any]:
    """Return a trait node."""
    return {"type": "trait", "key": key, "operator": operator, **({} if value is None else {"value": value})}


def event(name: str, **parts: Any) -> dict[str, Any]:
    """Return an event node."""
    return {"type": "event", "name": name, **parts}


def rule(include: dict[str, Any], exclude: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a rule."""
    return {"include": include, "exclude": exclude}


def segment(
    name: str, include: dict[str, Any], exclude: dict[str, Any] | None = None, *, refresh: bool = True
) -> Segment:
    """Save a segment and make its members."""
    made = services.create_segment(name=name, rule=rule(include, exclude))
    if refresh:
        refresh_segment(made.pk, cause="rule")
    made.refresh_from_db()
    return made


def members(segment: Segment) -> set[int]:
    """Return the ids of the members."""
    return set(Membership.objects.filter(segment_id=segment.pk).values_list("profile_id", flat=True))


def ids(people: Iterable[Profile]) -> set[int]:
    """Return the ids of people."""
    return {profile.pk for profile in people}


def process_touched() -> int:
    """Do a worker's work with those who changed; return how many rows of the queue are gone."""
    before = TouchedProfile.objects.count()
    queues.drain("segments_touched")
    return before - TouchedProfile.objects.count()


def refresh_new() -> None:
    """Do a worker's work with the segments that wait for a refresh."""
    queues.drain("segments_refresh")


def sweep(now: datetime) -> None:
    """Do a worker's work with the windows that moved until `now`, and refresh what a sweep leaves to that."""
    for segment_id in Segment.objects.filter(status="live").order_by("pk").values_list("pk", flat=True):
        if not sweep_segment(segment_id, known_catalog(), now=now):
            refresh_segment(segment_id, cause="time", now=now)
