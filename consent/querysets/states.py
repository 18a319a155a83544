"""Reads of the answers of this moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from cdp.common.counting import COUNT_CAP

_PEOPLE = """
SELECT p.id, count(DISTINCT x.profile_id) FROM unnest(%s::bigint[]) AS p (id), LATERAL (
    SELECT s.profile_id FROM unnest(%s::text[]) AS c (channel), LATERAL (
        SELECT profile_id FROM consent_consentstate
        WHERE purpose_id = p.id AND channel = c.channel AND state = 'given' LIMIT %s
    ) s
) x GROUP BY p.id
"""
# By the record that an answer rests on: from the words to their records, to the subject, to the answer of today.
_BY_TEXT = """
SELECT t.id, count(DISTINCT x.profile_id) FROM unnest(%s::bigint[]) AS t (id), LATERAL (
    SELECT s.profile_id FROM consent_consentrecord r
    JOIN profiles_identifier i ON i.id = r.identifier_id
    JOIN consent_consentstate s ON s.profile_id = i.profile_id AND s.purpose_id = r.purpose_id
        AND s.channel = r.channel AND s.record_id = r.id AND s.state = 'given'
    WHERE r.text_id = t.id LIMIT %s
) x GROUP BY t.id
"""


def people_who_agree(purpose_ids: Sequence[int], channels: Sequence[str]) -> dict[int, int]:
    """Return {purpose: people who say yes by any of the channels}, counted no further than the cap."""
    return _counted(_PEOPLE, [list(purpose_ids), list(channels), COUNT_CAP + 1])


def people_by_text(text_ids: Sequence[int]) -> dict[int, int]:
    """Return {words: people whose yes of this moment rests on them}, counted no further than the cap."""
    return _counted(_BY_TEXT, [list(text_ids), COUNT_CAP + 1])


def _counted(sql: str, params: list[Any]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return dict(cursor.fetchall())
