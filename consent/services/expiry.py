"""End permissions without contact: the retention of a purpose, written into the ledger as records like any other.

A permission ends `retention_days` after the person gave it or last did something, whichever is later. An event that
comes later raises it no more: the person has to say yes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from cdp.common.arrays import numbers
from cdp.common.retention import COUNT_CAP, Position, Step, Survey
from consent.models import ExpiryForecast, Purpose
from consent.models.ledger import Method, State
from consent.services.entries import ConsentEntry
from consent.services.recording import record_consents
from profiles.resolution.rows import lock_profiles

ACTOR = "system:retention"
#: how far ahead the page of a purpose looks
SOON = timedelta(days=30)

#: what holds as given, with the last contact: greatest() passes over a NULL
_GIVEN = """
SELECT s.profile_id, s.record_id, r.identifier_id, greatest(s.since, p.last_seen_at) AS contact
FROM consent_consentstate s JOIN consent_consentrecord r ON r.id = s.record_id
LEFT JOIN profiles_profile p ON p.id = s.profile_id
WHERE s.purpose_id = %s AND s.channel = %s AND s.state IN ('given', 'soft_opt_in')
"""


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission that holds, and when it ends without contact."""

    profile_id: int
    record_id: int
    identifier_id: int
    ends_at: datetime


def expire_permissions(now: datetime, limit: int, position: Position) -> Step:
    """Look at the next permissions of the purposes that have a period, and end those whose time is over."""
    place = _place(position)
    if place is None:
        return Step(0)
    purpose, channel, after = place
    found = _read(purpose, channel, "AND s.profile_id > %s ORDER BY s.profile_id LIMIT %s", [after, limit])
    due = [item for item in found if item.ends_at <= now]
    ended = _end(purpose, channel, due, now)
    soon = position.get("soon", 0) + sum(now < item.ends_at <= now + SOON for item in found)
    following: Position = {"purpose": purpose.pk, "channel": channel, "soon": soon}
    if len(found) == limit:
        return Step(ended, following | {"person": found[-1].profile_id})
    last = sorted(purpose.channels)[-1]
    if channel == last:
        ExpiryForecast.objects.update_or_create(
            purpose=purpose, defaults={"ending_soon": soon, "counted_at": timezone.now()}
        )
        return Step(ended, {"after": purpose.pk})
    return Step(ended, {"purpose": purpose.pk, "soon": soon, "done": channel})


def _place(position: Position) -> tuple[Purpose, str, int] | None:
    """Return (purpose, channel, person after whom to go on); None when every purpose was looked at."""
    purposes = Purpose.objects.filter(retention_days__isnull=False).order_by("pk")
    if "purpose" in position:
        purpose = purposes.filter(pk=position["purpose"]).first()
        if purpose is not None:
            left = [channel for channel in sorted(purpose.channels) if channel > position.get("done", "")]
            channel = position.get("channel", left[0] if left else "")
            if channel in purpose.channels:
                return purpose, channel, position.get("person", 0)
        position = {"after": position["purpose"]}  # changed meanwhile: the next night sees to it
    purpose = purposes.filter(pk__gt=position.get("after", 0)).first()
    return (purpose, sorted(purpose.channels)[0], 0) if purpose is not None else None


def _read(purpose: Purpose, channel: str, where: str, params: list[Any]) -> list[Permission]:
    period = timedelta(days=purpose.retention_days or 0)
    with connection.cursor() as cursor:
        cursor.execute(f"{_GIVEN} {where}", [purpose.pk, channel, *params])
        return [
            Permission(profile_id, record_id, identifier_id, contact + period)
            for profile_id, record_id, identifier_id, contact in cursor.fetchall()
        ]


@transaction.atomic
def _end(purpose: Purpose, channel: str, due: list[Permission], now: datetime) -> int:
    """Write the records; who said or did something between the look and the lock keeps the permission."""
    people = sorted(item.profile_id for item in due)
    if not people:
        return 0
    lock_profiles(people)
    still = _read(purpose, channel, "AND s.profile_id = ANY(%s::bigint[]) ORDER BY s.profile_id", [numbers(people)])
    entries = [
        ConsentEntry(
            profile_id=item.profile_id,
            purpose_id=purpose.pk,
            channel=channel,
            state=State.EXPIRED,
            method=Method.RULE,
            actor=ACTOR,
            identifier_id=item.identifier_id,
            occurred_at=item.ends_at,
            because_id=item.record_id,
            reference=f"retention:{purpose.retention_days}",
        )
        for item in still
        if item.ends_at <= now
    ]
    return len(record_consents(entries))


def ending_soon(purpose: Purpose, *, after: int, limit: int, now: datetime | None = None) -> list[Permission]:
    """Return permissions that end soon, or are due, by person; each person once, with the first that ends."""
    if purpose.retention_days is None:
        return []
    by = (now or timezone.now()) + SOON - timedelta(days=purpose.retention_days or 0)
    found: dict[int, Permission] = {}
    for channel in purpose.channels:
        where = "AND s.profile_id > %s AND greatest(s.since, p.last_seen_at) <= %s ORDER BY s.profile_id LIMIT %s"
        for item in _read(purpose, channel, where, [after, by, limit]):
            known = found.get(item.profile_id)
            if known is None or item.ends_at < known.ends_at:
                found[item.profile_id] = item
    return [found[number] for number in sorted(found)][:limit]


def ends_sooner(purpose: Purpose, proposed: Purpose) -> bool:
    """Tell whether a change of a purpose makes permissions end sooner than they do."""
    days, wanted = purpose.retention_days, proposed.retention_days
    return wanted is not None and (days is None or wanted < days)


def count_due(proposed: Purpose) -> int:
    """Count the permissions that a purpose as proposed would end in the coming night, no further than COUNT_CAP."""
    by = timezone.now() - timedelta(days=proposed.retention_days or 0)
    where = "AND greatest(s.since, p.last_seen_at) <= %s LIMIT %s"
    due = sum(len(_read(proposed, channel, where, [by, COUNT_CAP + 1])) for channel in proposed.channels)
    return min(due, COUNT_CAP + 1)


def survey_expired(_now: datetime) -> Survey:
    """Say that nothing is left: a run looks at every permission."""
    return Survey(0, None)
