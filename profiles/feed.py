"""Tell the change feed who changed: everybody who writes what is shown of a person does, in the same transaction.

What counts: the person's row, identifiers, permissions and segments; that somebody was merely active does not. It costs
the writer one narrow row each; the feed itself is written behind (`profiles.services.feed`).
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from cdp.common.arrays import numbers

#: how a statement that knows people by a SELECT begins
NOTE = "INSERT INTO profiles_changed (profile_id)"
#: for people whose rows are about to be deleted, given as an array of ids
NOTE_REMOVED = (
    "INSERT INTO profiles_changed (profile_id, uuid) SELECT id, uuid FROM profiles_profile WHERE id = ANY(%s::bigint[])"
)


def note_changed(profile_ids: Collection[int]) -> None:
    """Put people on their way into the feed, inside the transaction that changes them."""
    if profile_ids:
        with connection.cursor() as cursor:
            cursor.execute(f"{NOTE} SELECT unnest(%s::bigint[])", [numbers(sorted(profile_ids))])
