"""What would happen if a campaign were sent now: the sender's own decisions, counted; and a trial of the message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.utils import timezone

from campaigns.audience import decided_sql, version_of
from campaigns.models import Campaign
from campaigns.reasons import WATERFALL
from campaigns.sending.context import template_of
from campaigns.sending.trial import TRIAL_PEOPLE, Trial, can_fail, try_message


@dataclass(frozen=True)
class Forecast:
    """The audience before sending: everybody, those left out by reason, and those who would get the mail.

    `trial` is how the message fared with the first people who would get it; it is whole when it came to all of them,
    and then those whom it fails stand among the skipped.
    """

    total: int
    skipped: dict[str, int]
    trial: Trial = field(default_factory=Trial)

    @property
    def will_be_sent(self) -> int:
        """Return how many would get it."""
        return self.total - sum(self.skipped.values())

    def as_json(self) -> dict[str, Any]:
        """Return what is kept with the campaign when it is scheduled, to compare the result with."""
        return {"at": timezone.now().isoformat(), "total": self.total, "skipped": self.skipped}


def forecast(campaign: Campaign) -> Forecast:
    """Count what would happen if the campaign were sent now: the same statement as sending uses."""
    ctes, params = decided_sql(campaign)
    version = version_of(campaign)
    template = template_of(version) if version is not None else None
    first = TRIAL_PEOPLE if template is not None and can_fail(template) else 0
    with connection.cursor() as cursor:
        cursor.execute(
            ctes
            + """
            SELECT reason, count(*) FROM decided GROUP BY reason
            UNION ALL
            SELECT NULL, profile_id FROM (
                SELECT profile_id FROM decided WHERE reason = '' ORDER BY profile_id LIMIT %s) AS first
            """,
            [*params, first],
        )
        rows = cursor.fetchall()
    counts = {str(reason): int(people) for reason, people in rows if reason is not None}
    trial = Trial()
    if first and template is not None:
        ids = [int(profile_id) for reason, profile_id in rows if reason is None]
        trial = try_message(campaign, template, ids, everybody=len(ids) == counts.get("", 0))
    if trial.whole and trial.failed:
        counts["render_error"] = len(trial.failed)
        counts[""] -= len(trial.failed)
    order = [*WATERFALL, *sorted(set(counts) - {"", *WATERFALL})]
    return Forecast(sum(counts.values()), {reason: counts[reason] for reason in order if counts.get(reason)}, trial)


def forecast_people(campaign: Campaign, reason: str, limit: int) -> list[int]:
    """Return the people whom the forecast leaves out for `reason` (empty: those who would get the mail)."""
    trial = forecast(campaign).trial if reason in ("", "render_error") else Trial()
    if reason == "render_error":
        return list(trial.failed[:limit])
    ctes, params = decided_sql(campaign)
    with connection.cursor() as cursor:
        cursor.execute(
            ctes + "SELECT profile_id FROM decided WHERE reason = %s AND profile_id <> ALL(%s::bigint[]) "
            "ORDER BY profile_id LIMIT %s",
            [*params, reason, list(trial.failed) if trial.whole else [], limit],
        )
        return [row[0] for row in cursor.fetchall()]
