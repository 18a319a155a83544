"""Whose chain a statement goes on, and the locks that keep chains and states in step."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from cdp.common.arrays import numbers
from profiles.identity.alive import alive

_ALIVE = f"""
WITH RECURSIVE path AS (
    SELECT id AS asked, id, merged_into_id, erased_at, 0 AS depth FROM profiles_profile WHERE id = ANY(%s::bigint[])
    UNION ALL
    SELECT path.asked, p.id, p.merged_into_id, p.erased_at, path.depth + 1
    FROM path JOIN profiles_profile p ON p.id = path.merged_into_id
    WHERE path.depth < 50
)
SELECT asked, id FROM path WHERE {alive()}
"""

_STRONGEST = """
SELECT DISTINCT ON (i.profile_id) i.profile_id, i.id
FROM profiles_identifier i LEFT JOIN profiles_identifierkind k ON k.name = i.kind
WHERE i.profile_id = ANY(%s::bigint[])
ORDER BY i.profile_id, i.trusted_at IS NULL, k.priority NULLS LAST, i.id
"""


def alive_profiles(profile_ids: Collection[int]) -> dict[int, int]:
    """Return {asked: alive}: a joined profile stands for its winner; erased and unknown ones are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE, [numbers(sorted(set(profile_ids)))])
        return dict(cursor.fetchall())


def strongest_identifiers(profile_ids: Collection[int]) -> dict[int, int]:
    """Return {profile: identifier} of the strongest identifier of each."""
    with connection.cursor() as cursor:
        cursor.execute(_STRONGEST, [numbers(sorted(set(profile_ids)))])
        return dict(cursor.fetchall())


def profiles_of(identifier_ids: Collection[int]) -> dict[int, int]:
    """Return {identifier: profile} as things are now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, profile_id FROM profiles_identifier WHERE id = ANY(%s::bigint[])",
            [numbers(sorted(set(identifier_ids)))],
        )
        return dict(cursor.fetchall())


def lock_chains(identifier_ids: Collection[int], genesis: str) -> dict[int, tuple[int, str]]:
    """Return {subject: (position, head)}, locked in order; a subject that never spoke gets an empty chain."""
    subjects = sorted(set(identifier_ids))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO consent_consentchain (identifier_id, position, head, record_id) "
            "SELECT subject, 0, %s, 0 FROM unnest(%s::bigint[]) AS subject ORDER BY subject ON CONFLICT DO NOTHING",
            [genesis, numbers(subjects)],
        )
        cursor.execute(
            "SELECT identifier_id, position, head FROM consent_consentchain WHERE identifier_id = ANY(%s::bigint[]) "
            "ORDER BY identifier_id FOR UPDATE",
            [numbers(subjects)],
        )
        return {subject: (position, head) for subject, position, head in cursor.fetchall()}
