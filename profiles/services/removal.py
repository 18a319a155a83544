"""Remove people as if they had never come in: those whom only an import knew, and visitors who never came back."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection, transaction

from cdp.common.arrays import numbers
from profiles.feed import NOTE_REMOVED

#: in this order: what names identifiers goes before them
_STATEMENTS = {
    "profiles_interaction": "DELETE FROM profiles_interaction WHERE profile_id = ANY(%(people)s::bigint[])",
    "profiles_traitchange": "DELETE FROM profiles_traitchange WHERE profile_id = ANY(%(people)s::bigint[])",
    "profiles_merge": (
        "DELETE FROM profiles_merge WHERE winner_id = ANY(%(people)s::bigint[]) OR loser_id = ANY(%(people)s::bigint[])"
    ),
    "profiles_identitylink": (
        "DELETE FROM profiles_identitylink"
        " WHERE low_id = ANY(%(identifiers)s::bigint[]) OR high_id = ANY(%(identifiers)s::bigint[])"
    ),
    "profiles_heldlink": (
        "DELETE FROM profiles_heldlink"
        " WHERE low_id = ANY(%(identifiers)s::bigint[]) OR high_id = ANY(%(identifiers)s::bigint[])"
    ),
    "profiles_identifier": "DELETE FROM profiles_identifier WHERE id = ANY(%(identifiers)s::bigint[])",
    "profiles_profile": "DELETE FROM profiles_profile WHERE id = ANY(%(people)s::bigint[])",
}


@transaction.atomic
def remove_people(profile_ids: Collection[int]) -> dict[str, int]:
    """Delete people, those merged into them, and all that this app holds of them; return rows per table.

    The caller holds their locks, has asked `kept_people`, and announces the change.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM profiles_profile WHERE merged_into_id = ANY(%s::bigint[])", [numbers(sorted(profile_ids))]
        )
        people = numbers(sorted({*profile_ids, *(row[0] for row in cursor.fetchall())}))
        cursor.execute("SELECT id FROM profiles_identifier WHERE profile_id = ANY(%s::bigint[]) ORDER BY id", [people])
        identifiers = numbers(row[0] for row in cursor.fetchall())
        cursor.execute(NOTE_REMOVED, [people])
        counts = {}
        for table, statement in _STATEMENTS.items():
            cursor.execute(statement, {"people": people, "identifiers": identifiers})
            counts[table] = int(cursor.rowcount)
    return counts
