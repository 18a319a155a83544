"""Take the values of one person out of the frequent ones of the catalogue, which may be told to anybody."""

from __future__ import annotations

from django.db import transaction

from profiles.catalogue.observe import Key, Tally
from profiles.catalogue.store import forget_values, lock_entries, new_tally
from profiles.models import Identifier, Interaction, Profile, TraitChange

_CHUNK = 500


@transaction.atomic
def forget_person(profile_id: int) -> int:
    """Remove the values that nobody but this person gave, and their identifiers; return the entries changed.

    A value that others gave too stays. Counts are of the most frequent values only, so some that one other person
    gave may go as well; a frequent one comes back.
    """
    profile_ids = [profile_id, *Profile.objects.filter(merged_into_id=profile_id).values_list("pk", flat=True)]
    identifiers = Identifier.objects.filter(profile_id__in=profile_ids).values_list("value", flat=True)
    changed = forget_values(identifiers)
    own = {key: seen.values for key, seen in _given_by(profile_ids).entries.items() if seen.values}
    for row in lock_entries(own):
        theirs = own[Key(row.scope, row.event, row.path)]
        kept = {value: times for value, times in row.top_values.items() if times > theirs.get(value, 0)}
        if kept != row.top_values:
            row.top_values = kept
            row.save(update_fields=["top_values"])
            changed += 1
    return changed


def _given_by(profile_ids: list[int]) -> Tally:
    """Return what the person did and had, as the catalogue observed it; a chunk at a time, as each keeps few values."""
    total, chunk = new_tally(), new_tally()
    for profile in Profile.objects.filter(pk__in=profile_ids):
        for name, value in profile.traits.items():
            chunk.trait(name, None, value, at=profile.last_seen_at or profile.first_seen_at, source_id=None)
    for change in TraitChange.objects.filter(profile_id__in=profile_ids).iterator(_CHUNK):
        for value in (change.old, change.new):
            chunk.trait(change.key, None, value, at=change.at, source_id=None)
    events = Interaction.objects.filter(profile_id__in=profile_ids)
    for number, event in enumerate(events.order_by("occurred_at", "id").iterator(_CHUNK)):
        chunk.event(event.name, event.properties, at=event.occurred_at, source_id=None)
        if number % _CHUNK == _CHUNK - 1:
            total.add(chunk)
            chunk = new_tally()
    total.add(chunk)
    return total
