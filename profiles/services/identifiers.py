"""What is known of an address: that the person answered at it."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django.db import connection, transaction
from django.utils import timezone

from profiles.models import Source
from profiles.processing.sources import load_rules
from profiles.resolution import people
from profiles.resolution.resolve import Observation, resolve

#: the source of what Klantbeeld itself saw
OURSELVES = "klantbeeld"


@transaction.atomic
def confirm_identifier(*, kind: str, value: str, at: datetime | None = None) -> int:
    """Note that the person answered at an address (a link mailed to it was used); return the profile it belongs to.

    Only what Klantbeeld saw itself confirms: no source can claim it. A confirmed address is trusted as well.
    """
    moment = at or timezone.now()
    source = Source.objects.get(slug=OURSELVES)
    pair = (kind, value)
    resolved = resolve([Observation((pair,), moment, uuid4().hex, source.pk, trusted=True)], load_rules().kinds)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE profiles_identifier SET confirmed_at = greatest(confirmed_at, %s) WHERE id = %s",
            [moment, resolved.identifiers[pair].id],
        )
    profile_id = resolved.profile_of(pair)
    resolved.made.clear()  # the confirmation is not in it
    people.write(resolved, {}, also=[profile_id], at=moment, news="manual")
    return profile_id
