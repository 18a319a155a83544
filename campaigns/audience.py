"""Who is in a campaign's audience, and what is decided about each: set-based, one statement for a million people."""

from __future__ import annotations

from typing import Any

from django.db import connection

from campaigns.models import Campaign, MessageVersion
from campaigns.reasons import FAIL_REASONS
from consent.gate import decisions_sql, terms_in_force
from consent.policy.terms import Terms
from profiles.keyring import key_ring

_MEMBERS = "SELECT profile_id FROM segments_membership WHERE segment_id = %s"

# The order of the tests is the order of the waterfall: an exclusion always wins, then the gate, then what the message
# needs, and last one mail an address: among people who share one, somebody who can have the mail gets it.
_DECIDED = """
WITH gated AS MATERIALIZED ({gate}),
judged AS (
    SELECT gated.profile_id, gated.address, gated.record_id,
           CASE WHEN EXISTS (SELECT 1 FROM segments_membership AS left_out
                             WHERE left_out.profile_id = gated.profile_id AND left_out.segment_id = ANY(%s))
                THEN 'excluded'
                WHEN gated.reason <> '' THEN gated.reason
                WHEN {missing} THEN 'missing_field'
                WHEN {no_address} THEN 'invalid_address'
                ELSE '' END AS reason
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
# What missing_values() of campaigns.sending.context does.
_MISSING = """EXISTS (
                    SELECT 1 FROM profiles_profile AS person, unnest(%s::text[]) AS field
                    WHERE person.id = gated.profile_id AND coalesce(person.traits -> field, 'null')
                          IN ('null', '""', '[]', '{}'))"""
# What deliverable() of campaigns.rendering.mime does, but for names that have no form in ASCII.
_CONTROL = r"\x01-\x1f\x7f-\x9f\u2028\u2029"
_NOT_IN_ADDRESS = rf"\s{_CONTROL}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000<>,;:\"()\[\]\\@"
_NO_ADDRESS = rf"gated.address !~ '^[^{_NOT_IN_ADDRESS}]+@[^{_NOT_IN_ADDRESS}]+$'"


def version_of(campaign: Campaign) -> MessageVersion | None:
    """Return the version that would be sent: the pinned one, or the message's current one."""
    return campaign.message_version or (campaign.message.current_version if campaign.message else None)


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
    version = version_of(campaign)
    required = list(version.required_traits) if version else []
    sql = _DECIDED.format(gate=gate, missing=_MISSING if required else "false", no_address=_NO_ADDRESS)
    return sql, [*gate_params, list(campaign.exclude_segment_ids), *([required] if required else [])]


def write_decisions(campaign: Campaign) -> int:
    """Write one Delivery per member and queue those allowed; return the audience. Call inside a transaction.

    A second run writes nothing: the primary key holds one decision per person.
    """
    assert campaign.purpose_id is not None
    terms = terms_in_force(campaign.purpose_id)
    ctes, params = decided_sql(campaign, terms)
    digest, digest_params = key_ring().current.sql("'email:' || btrim(address)")
    with connection.cursor() as cursor:
        cursor.execute(
            ctes
            + f"""
            INSERT INTO campaigns_delivery (
                campaign_id, profile_id, uuid, outcome, reason, consent_record_id, basis, purpose_version_id,
                message_version_id, address_digest, context, smtp_code, smtp_reply, attempts, decided_at, finished_at)
            SELECT %s, profile_id, gen_random_uuid(),
                   CASE WHEN reason = '' THEN 'pending' WHEN reason = ANY(%s) THEN 'failed' ELSE 'skipped' END, reason,
                   record_id, %s, %s, %s,
                   CASE reason WHEN '' THEN
                       {digest}
                   ELSE '' END,
                   '{{}}', 0, '', 0, now(), CASE reason WHEN '' THEN NULL ELSE now() END
            FROM decided ORDER BY profile_id
            ON CONFLICT (campaign_id, profile_id, occurrence) DO NOTHING
            """,
            [
                *params,
                campaign.pk,
                list(FAIL_REASONS),
                terms.silent_basis,
                terms.version_id,
                campaign.message_version_id,
                *digest_params,
            ],
        )  # fmt: skip
        cursor.execute(
            """
            INSERT INTO campaigns_sendqueue (campaign_id, profile_id, due_at, lease_until, worker, attempts, phase)
            SELECT campaign_id, profile_id, now(), NULL, '', 0, 'waiting'
            FROM campaigns_delivery WHERE campaign_id = %s AND outcome = 'pending' ORDER BY profile_id
            ON CONFLICT (campaign_id, profile_id, occurrence) DO NOTHING
            """,
            [campaign.pk],
        )
        # The statement of each message is planned once per connection, perhaps a second from now: without fresh
        # statistics these tables look empty, and the plan that follows reads all of them for every message.
        cursor.execute("ANALYZE campaigns_delivery")
        cursor.execute("ANALYZE campaigns_sendqueue")
        cursor.execute("SELECT count(*) FROM campaigns_delivery WHERE campaign_id = %s", [campaign.pk])
        return int(cursor.fetchone()[0])
