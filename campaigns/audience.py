"""Who is in a campaign's audience, and what is decided about each: set-based, one statement for a million people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from campaigns.models import Campaign
from campaigns.reasons import SKIP_REASONS
from consent.gate import decisions_sql, terms_in_force
from consent.policy.terms import Terms
from profiles.keyring import key_ring

#: what a statement over the whole base may take; pages use less
BUILD_TIMEOUT = "15min"

_MEMBERS = "SELECT profile_id FROM segments_membership WHERE segment_id = %s"

# The order of the tests is the order of the waterfall: an exclusion always wins, then the gate, then one mail
# an address.
_DECIDED = """
WITH gated AS MATERIALIZED ({gate}),
judged AS (
    SELECT gated.profile_id, gated.address, gated.record_id,
           CASE WHEN EXISTS (SELECT 1 FROM segments_membership AS left_out
                             WHERE left_out.profile_id = gated.profile_id AND left_out.segment_id = ANY(%s))
                THEN 'excluded' ELSE gated.reason END AS reason
    FROM gated
),
decided AS (
    SELECT profile_id, record_id, lower(address) AS address,
           CASE WHEN reason <> '' THEN reason
                WHEN row_number() OVER (PARTITION BY reason, lower(address) ORDER BY profile_id) > 1
                THEN 'duplicate_address' ELSE '' END AS reason
    FROM judged
)
"""


@dataclass(frozen=True)
class Forecast:
    """The audience before sending: everybody, those left out by reason, and those who would get the mail."""

    total: int
    skipped: dict[str, int]

    @property
    def will_be_sent(self) -> int:
        """Return how many would get it."""
        return self.total - sum(self.skipped.values())


def decided_sql(campaign: Campaign, terms: Terms | None = None) -> tuple[str, list[Any]]:
    """Return the CTEs that end in `decided(profile_id, record_id, address, reason)` for a campaign's audience."""
    assert campaign.purpose_id is not None
    gate, gate_params = decisions_sql(
        purpose_id=campaign.purpose_id,
        channel=campaign.channel,
        audience_sql=_MEMBERS,
        params=[campaign.segment_id],
        terms=terms,
    )
    return _DECIDED.format(gate=gate), [*gate_params, list(campaign.exclude_segment_ids)]


def forecast(campaign: Campaign) -> Forecast:
    """Count what would happen if the campaign were sent now: the same statement as sending uses."""
    ctes, params = decided_sql(campaign)
    with connection.cursor() as cursor:
        cursor.execute(ctes + "SELECT reason, count(*) FROM decided GROUP BY reason", params)
        counts = dict(cursor.fetchall())
    total = sum(counts.values())
    skipped = {reason: counts[reason] for reason in SKIP_REASONS if reason in counts}
    skipped.update({reason: count for reason, count in counts.items() if reason and reason not in skipped})
    return Forecast(total, skipped)


def forecast_people(campaign: Campaign, reason: str, limit: int) -> list[int]:
    """Return the people whom the forecast leaves out for `reason` (empty: those who would get the mail)."""
    ctes, params = decided_sql(campaign)
    with connection.cursor() as cursor:
        cursor.execute(
            ctes + "SELECT profile_id FROM decided WHERE reason = %s ORDER BY profile_id LIMIT %s",
            [*params, reason, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def write_decisions(campaign: Campaign) -> int:
    """Write one Delivery per member and queue those allowed; return the audience. Call inside a transaction.

    A second run writes nothing: the primary key holds one decision per person.
    """
    assert campaign.purpose_id is not None
    terms = terms_in_force(campaign.purpose_id)
    ctes, params = decided_sql(campaign, terms)
    digest, digest_params = key_ring().current.sql("'email:' || btrim(address)")
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [BUILD_TIMEOUT])
        cursor.execute(
            ctes
            + f"""
            INSERT INTO campaigns_delivery (
                campaign_id, profile_id, uuid, outcome, reason, consent_record_id, basis, purpose_version_id,
                message_version_id, address_digest, context, smtp_code, smtp_reply, attempts, decided_at, finished_at)
            SELECT %s, profile_id, gen_random_uuid(), CASE reason WHEN '' THEN 'pending' ELSE 'skipped' END, reason,
                   record_id, %s, %s, %s,
                   CASE reason WHEN '' THEN
                       {digest}
                   ELSE '' END,
                   '{{}}', 0, '', 0, now(), CASE reason WHEN '' THEN NULL ELSE now() END
            FROM decided ORDER BY profile_id
            ON CONFLICT (campaign_id, profile_id) DO NOTHING
            """,
            [*params, campaign.pk, terms.silent_basis, terms.version_id, campaign.message_version_id, *digest_params],
        )
        cursor.execute(
            """
            INSERT INTO campaigns_sendqueue (campaign_id, profile_id, due_at, lease_until, worker, attempts, phase)
            SELECT campaign_id, profile_id, now(), NULL, '', 0, 'waiting'
            FROM campaigns_delivery WHERE campaign_id = %s AND outcome = 'pending' ORDER BY profile_id
            ON CONFLICT (campaign_id, profile_id) DO NOTHING
            """,
            [campaign.pk],
        )
        # The statement of each message is planned once per connection, perhaps a second from now: without fresh
        # statistics these tables look empty, and the plan that follows reads all of them for every message.
        cursor.execute("ANALYZE campaigns_delivery")
        cursor.execute("ANALYZE campaigns_sendqueue")
        cursor.execute("SELECT count(*) FROM campaigns_delivery WHERE campaign_id = %s", [campaign.pk])
        return int(cursor.fetchone()[0])
