"""What the profiles app holds of one person: to hand over, and to remove.

Raw bodies are kept verbatim for some days, and a batch may speak of many people. Erasing a person cuts that person's
messages out of the stored bodies (the rest of a batch stays), so that nothing is left to replay.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from profiles.messages.cutting import cut
from profiles.messages.model import Pair
from profiles.messages.naming import named_in
from profiles.models import (
    Identifier,
    IdentityLink,
    Interaction,
    Merge,
    Profile,
    RejectedMessage,
    TraitChange,
)
from profiles.processing.claim import Entry
from profiles.processing.sources import load_rules
from profiles.processing.store import rewrite_bodies


def collect(profile_id: int) -> dict[str, Any]:
    """Return everything that is held of a person, for an access request."""
    person = Profile.objects.filter(pk=profile_id).first()
    if person is None:
        return {}
    return {
        "id": str(person.uuid),
        "traits": person.traits,
        "origins": person.origins,
        "first_seen_at": person.first_seen_at.isoformat(),
        "last_seen_at": person.last_seen_at.isoformat(),
        "identifiers": [
            {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
            for row in Identifier.objects.filter(profile_id=profile_id).values(
                "kind", "value", "trusted_at", "confirmed_at", "assertions"
            )
        ],
        "interactions": [
            {**row, "occurred_at": row["occurred_at"].isoformat()}
            for row in Interaction.objects.filter(profile_id=profile_id)
            .order_by("occurred_at", "id")
            .values("occurred_at", "kind", "name", "properties", "context", "message_id")
            .iterator(chunk_size=2000)
        ],
        "trait_changes": [
            {**row, "at": row["at"].isoformat()}
            for row in TraitChange.objects.filter(profile_id=profile_id).values("key", "old", "new", "at", "cause")
        ],
    }


def erase(profile_id: int) -> dict[str, int]:
    """Remove a person, inside the caller's transaction; return rows per table. Idempotent."""
    profile_ids = [profile_id, *Profile.objects.filter(merged_into_id=profile_id).values_list("pk", flat=True)]
    pairs = set(Identifier.objects.filter(profile_id__in=profile_ids).values_list("kind", "value"))
    identifier_ids = list(Identifier.objects.filter(profile_id__in=profile_ids).values_list("pk", flat=True))
    received = _received(profile_ids)
    counts = {
        "profiles_rawmessage": _cut_from_bodies(received, pairs),
        "profiles_rejectedmessage": _cut_from_rejected(pairs),
        "profiles_interaction": Interaction.objects.filter(profile_id__in=profile_ids).delete()[0],
        "profiles_traitchange": TraitChange.objects.filter(profile_id__in=profile_ids).delete()[0],
        "profiles_merge": Merge.objects.filter(Q(winner_id__in=profile_ids) | Q(loser_id__in=profile_ids)).delete()[0],
        "profiles_identitylink": IdentityLink.objects.filter(
            Q(low_id__in=identifier_ids) | Q(high_id__in=identifier_ids)
        ).delete()[0],
        "profiles_identifier": Identifier.objects.filter(pk__in=identifier_ids).delete()[0],
    }
    counts["profiles_profile"] = Profile.objects.filter(pk__in=profile_ids, erased_at=None).update(
        traits={},
        origins={},
        display_name="",
        email="",
        search_text="",
        identified=False,
        restricted_at=None,
        erased_at=timezone.now(),
    )
    return counts


def _received(profile_ids: Iterable[int]) -> list[datetime]:
    """Return when the bodies of a person's messages were received: where to look in the lake."""
    oldest = timezone.now() - timedelta(days=400)
    rows = Interaction.objects.filter(profile_id__in=list(profile_ids), received_at__gt=oldest)
    return sorted(set(rows.values_list("received_at", flat=True)))


def _cut_from_bodies(received: list[datetime], pairs: set[Pair]) -> int:
    """Cut a person's messages out of the bodies of those moments and of all that wait; return the bodies cut."""
    rules, done = load_rules(), 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT received_at, id, endpoint, body FROM profiles_rawmessage WHERE received_at = ANY(%s)"
            " UNION SELECT r.received_at, r.id, r.endpoint, r.body FROM profiles_inbox i"
            " JOIN profiles_rawmessage r ON r.received_at = i.received_at AND r.id = i.raw_id",
            [received],
        )
        for received_at, raw_id, endpoint, body in cursor.fetchall():
            rest = cut(bytes(body), endpoint, rules, pairs)
            if rest is not None:
                rewrite_bodies([(Entry(raw_id, received_at, 0), rest)])
                done += 1
    return done


def _cut_from_rejected(pairs: set[Pair]) -> int:
    """Empty the rejected messages that name any of these."""
    rules, done = load_rules(), 0
    for row in RejectedMessage.objects.exclude(payload={}).iterator(chunk_size=500):
        if not pairs.isdisjoint(named_in(row.payload, {}, rules)):
            row.payload, row.params, row.message_id = {}, {}, ""
            row.save(update_fields=["payload", "params", "message_id"])
            done += 1
    return done
