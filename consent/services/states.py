"""Keep what holds in step with the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction

from cdp.common.arrays import bulk_cursor, numbers, texts
from consent.policy.states import Statement, fold
from profiles.feed import note_changed

#: (purpose, channel) -> what was said
History = dict[tuple[int, str], list[Statement]]

_OF_PROFILES = """
SELECT i.profile_id, r.purpose_id, r.channel, r.id, r.identifier_id, r.state, r.proof, r.occurred_at, r.recorded_at,
    r.because_id
FROM profiles_identifier i JOIN consent_consentrecord r ON r.identifier_id = i.id
WHERE i.profile_id = ANY(%s::bigint[])
"""

_STATES = """
SELECT profile_id, purpose_id, channel, record_id FROM consent_consentstate WHERE profile_id = ANY(%s::bigint[])
"""

_UPSERT = """
INSERT INTO consent_consentstate (profile_id, purpose_id, channel, state, record_id, proof, since, recorded_at)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::timestamptz[],
                     %s::timestamptz[])
ON CONFLICT (profile_id, purpose_id, channel) DO UPDATE SET state = excluded.state, record_id = excluded.record_id,
    proof = excluded.proof, since = excluded.since, recorded_at = excluded.recorded_at
"""

_DELETE = """
DELETE FROM consent_consentstate s USING unnest(%s::bigint[], %s::bigint[], %s::text[]) AS n(profile, purpose, channel)
WHERE s.profile_id = n.profile AND s.purpose_id = n.purpose AND s.channel = n.channel
"""


def histories(profile_ids: Collection[int]) -> dict[int, History]:
    """Return everything that the subjects of these people said, by person."""
    with bulk_cursor() as cursor:
        cursor.execute(_OF_PROFILES, [numbers(sorted(profile_ids))])
        found: dict[int, History] = defaultdict(lambda: defaultdict(list))
        for profile_id, purpose_id, channel, *fields in cursor.fetchall():
            found[profile_id][purpose_id, channel].append(_statement(*fields))
    return found


def _statement(
    record_id: int,
    subject: int,
    state: str,
    proof: str,
    occurred_at: datetime,
    recorded_at: datetime,
    because: int | None,
) -> Statement:
    return Statement(
        record_id=record_id,
        subject=subject,
        state=state,
        proof=proof,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        because=because,
    )


def derive(profile_ids: Collection[int]) -> dict[tuple[int, int, str], Statement]:
    """Return what holds by (person, purpose, channel), computed from the ledger alone."""
    found = {}
    for profile_id, history in histories(profile_ids).items():
        for (purpose_id, channel), statements in history.items():
            holding = fold(statements)
            if holding is not None:
                found[profile_id, purpose_id, channel] = holding
    return found


@transaction.atomic
def refresh_states(profile_ids: Collection[int]) -> set[int]:
    """Bring the kept states of these people up to date; return those whose answer changed."""
    if not profile_ids:
        return set()
    wanted = derive(profile_ids)
    with connection.cursor() as cursor:
        cursor.execute(_STATES, [numbers(sorted(profile_ids))])
        kept = {(profile, purpose, channel): record for profile, purpose, channel, record in cursor.fetchall()}
        stale = sorted(key for key in kept if key not in wanted)
        fresh = sorted(key for key, statement in wanted.items() if kept.get(key) != statement.record_id)
        if stale:
            cursor.execute(_DELETE, _columns(stale))
        if fresh:
            cursor.execute(_UPSERT, _columns(_state_row(key, wanted[key]) for key in fresh))
    changed = {key[0] for key in [*stale, *fresh]}
    note_changed(changed)
    return changed


def _state_row(key: tuple[int, int, str], holding: Statement) -> tuple[object, ...]:
    return (*key, holding.state, holding.record_id, holding.proof, holding.occurred_at, holding.recorded_at)


def _columns(rows: Iterable[Sequence[object]]) -> list[str]:
    return [texts(map(_element, column)) for column in zip(*rows, strict=True)]


def _element(value: object) -> str:
    return value if isinstance(value, str) else value.isoformat() if isinstance(value, datetime) else str(value)
