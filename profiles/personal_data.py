"""What the profiles app holds of one person: to hand over, and to remove (bodies: profiles.services.stored_bodies)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from profiles.catalogue.forgetting import forget_person
from profiles.feed import note_changed
from profiles.identity.traits import ADDRESS_TRAITS
from profiles.models import (
    Identifier,
    IdentityLink,
    Interaction,
    Merge,
    Profile,
    TraitChange,
)
from profiles.services.stored_bodies import redact_rejected


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
        "last_seen_at": person.last_seen_at.isoformat() if person.last_seen_at else None,
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


def prepare(profile_id: int) -> dict[str, int]:
    """Take the person's values out of the catalogue, and their identifiers out of rejected messages of others."""
    held = Identifier.objects.filter(profile_id=profile_id)
    # What a public key claimed may be a stranger's.
    own = [(row.kind, row.value) for row in held if row.trusted or row.kind not in ADDRESS_TRAITS]
    return {
        "profiles_catalogueentry": forget_person(profile_id),
        "profiles_rejectedmessage": redact_rejected(own),
    }


def erase(profile_id: int) -> dict[str, int]:
    """Remove a person, inside the caller's transaction; return rows per table. Idempotent."""
    profile_ids = [profile_id, *Profile.objects.filter(merged_into_id=profile_id).values_list("pk", flat=True)]
    identifier_ids = list(Identifier.objects.filter(profile_id__in=profile_ids).values_list("pk", flat=True))
    counts = {
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
    note_changed(profile_ids)
    return counts
