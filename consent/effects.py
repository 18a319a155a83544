"""What a change of a purpose's terms would do to people: the gate asked twice, by the terms in force and by the new."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.db import connection, transaction

from consent.gate import decisions_sql
from consent.models import Purpose
from consent.policy.soft_opt_in import SoftOptIn
from consent.policy.terms import Terms
from profiles.identity.alive import alive

#: a question about everybody takes longer than a page may
EFFECT_TIMEOUT = "120s"

_EVERYBODY = f"SELECT id AS profile_id FROM profiles_profile WHERE {alive()}"
_COMPARED = """
SELECT {channel} AS channel, w.profile_id, w.reason = '' AS was, n.reason = '' AS will
FROM ({was}) w JOIN ({will}) n ON n.profile_id = w.profile_id
"""
_COUNTED = """
SELECT channel, count(*) FILTER (WHERE was), count(*) FILTER (WHERE will),
       count(DISTINCT profile_id) FILTER (WHERE will AND NOT was),
       count(DISTINCT profile_id) FILTER (WHERE was AND NOT will)
FROM ({compared}) c GROUP BY GROUPING SETS ((channel), ())
"""
_LISTED = """
SELECT DISTINCT profile_id FROM ({compared}) c
WHERE profile_id > %s AND (CASE WHEN %s THEN will AND NOT was ELSE was AND NOT will END)
ORDER BY profile_id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many people could be reached by a channel before and after a change, and who came and went."""

    before: int
    after: int
    gained: int
    lost: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does: by channel, and in people over all channels."""

    channels: Mapping[str, Reach] = field(default_factory=dict)
    gained: int = 0
    lost: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept with the version: {channel: {before, after, gained, lost}}."""
        return {channel: asdict(reach) for channel, reach in self.channels.items()}


def with_changes(purpose: Purpose, changes: Mapping[str, Any]) -> Purpose:
    """Return the purpose as it would be; nothing is saved."""
    proposed = copy(purpose)
    for name, value in changes.items():
        setattr(proposed, name, list(value) if name == "channels" else value)
    return proposed


def effect_of(purpose: Purpose, proposed: Purpose) -> Effect:
    """Count whom the purpose reaches by the terms in force and by those proposed."""
    compared, params = _compared(purpose, proposed)
    rows = {row[0]: Reach(*row[1:]) for row in _fetch(_COUNTED.format(compared=compared), params)}
    total = rows.pop(None, Reach(0, 0, 0, 0))
    return Effect(dict(sorted(rows.items())), total.gained, total.lost)


def people_affected(purpose: Purpose, proposed: Purpose, *, gained: bool, after: int = 0, limit: int = 50) -> list[int]:
    """Return the ids of those whom a change brings within reach, or takes out of it, in rising order."""
    compared, params = _compared(purpose, proposed)
    return [row[0] for row in _fetch(_LISTED.format(compared=compared), [*params, after, gained, limit])]


def _compared(purpose: Purpose, proposed: Purpose) -> tuple[str, list[Any]]:
    pieces, params = [], []
    for channel in sorted({*purpose.channels, *proposed.channels}):
        was, was_params = decisions_sql(
            purpose_id=purpose.pk, channel=channel, audience_sql=_EVERYBODY, terms=purpose.terms
        )
        will, will_params = decisions_sql(
            purpose_id=purpose.pk, channel=channel, audience_sql=_EVERYBODY, terms=_prospective(proposed)
        )
        pieces.append(_COMPARED.format(channel=f"'{channel}'", was=was, will=will))
        params += [*was_params, *will_params]
    return " UNION ALL ".join(pieces), params


def _prospective(proposed: Purpose) -> Terms:
    """Return the terms with the sales that would count by them."""
    facts = SoftOptIn.from_json(proposed.soft_opt_in) if proposed.basis == "soft_opt_in" else None
    return replace(proposed.terms, prospective=facts)


def _fetch(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [EFFECT_TIMEOUT])
        cursor.execute(sql, params)
        return list(cursor.fetchall())
