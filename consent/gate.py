"""The gate that every message passes: who may be addressed for a purpose by a channel, why not, and by which record.

The rules are those of consent.policy.decisions, written once more as one set-based statement, for a million people at
once or for a batch at claim time. Campaigns ask twice: when the audience is made and again when a batch is claimed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from consent.keys import fitting_ring
from consent.models import ConsentState, Purpose
from consent.policy.addresses import KIND_OF_CHANNEL
from consent.policy.decisions import Decision, Facts, decide, usable
from consent.policy.soft_opt_in import SoftOptIn
from consent.policy.states import OBJECTED, Statement
from consent.policy.terms import NO_TERMS, Terms
from profiles.identity.digests import normalise
from profiles.models import Identifier, Profile

# Named parameters, so that the audience's own (positional) ones can be put at their place by decisions_sql.
_ADDRESS = {
    "email": "p.email",
    "phone": (
        "coalesce((SELECT i.value FROM profiles_identifier i WHERE i.profile_id = p.id AND i.kind = 'phone' "
        "AND i.trusted_at IS NOT NULL AND i.tied ORDER BY i.id LIMIT 1), '')"
    ),
}
#: what `normalise` of profiles.identity.digests does
_NORMAL = {
    "email": "lower(regexp_replace(f.address, '^\\s+|\\s+$', '', 'g'))",
    "phone": "regexp_replace(f.address, '\\s', '', 'g')",
}

_DECISIONS = """
SELECT f.profile_id, coalesce(f.address, '') AS address,
    CASE
        WHEN NOT {active} THEN 'purpose_inactive'
        WHEN NOT f.alive THEN 'erased'
        WHEN f.restricted THEN 'restricted'
        WHEN f.objection_id IS NOT NULL THEN 'objected'
        WHEN {objectable} AND f.state = 'objected' THEN 'objected'
        WHEN {objectable} AND f.state = 'withdrawn' THEN 'withdrawn'
        WHEN {objectable} AND f.state IN ('refused', 'expired') THEN 'no_consent'
        WHEN {opt_in} AND (f.state IS NULL OR f.state NOT IN ({allowing})) THEN 'no_consent'
        WHEN {opt_in} AND {seen_only} AND f.proof <> 'seen' THEN 'proof_not_seen'
        WHEN f.address = '' AND EXISTS (
            SELECT 1 FROM profiles_identifier u WHERE u.profile_id = f.profile_id AND u.kind = '{kind}'
        ) THEN 'unverified_address'
        WHEN f.address = '' THEN 'no_address'
        WHEN {confirmed_only} AND NOT EXISTS (
            SELECT 1 FROM profiles_identifier u WHERE u.profile_id = f.profile_id AND u.kind = '{kind}'
            AND u.value = {normal} AND u.confirmed_at IS NOT NULL
        ) THEN 'unconfirmed_address'
        WHEN EXISTS (
            SELECT 1 FROM consent_suppression x WHERE x.lifted_at IS NULL AND x.digest IN ({digests})
        ) THEN 'suppressed'
        ELSE ''
    END AS reason,
    CASE
        WHEN NOT {active} OR NOT f.alive OR f.restricted THEN NULL
        WHEN f.objection_id IS NOT NULL THEN f.objection_id
        WHEN {objectable} OR f.state IN ('given', 'soft_opt_in') THEN f.state_record_id
    END AS record_id
FROM (
    SELECT a.profile_id,
        coalesce(p.id IS NOT NULL AND p.merged_into_id IS NULL AND p.erased_at IS NULL, false) AS alive,
        p.restricted_at IS NOT NULL AS restricted,
        coalesce({address}, '') AS address,
        {state} AS state, s.proof, s.record_id AS state_record_id, o.record_id AS objection_id
    FROM ({audience}) a
    LEFT JOIN profiles_profile p ON p.id = a.profile_id
    LEFT JOIN consent_consentstate s ON s.profile_id = a.profile_id AND s.purpose_id = %s AND s.channel = %s
    LEFT JOIN LATERAL (
        SELECT max(b.record_id) AS record_id
        FROM consent_consentstate b JOIN consent_purpose bp ON bp.id = b.purpose_id
        WHERE {marketing} AND b.profile_id = a.profile_id AND b.state = 'objected' AND bp.is_marketing
          AND NOT coalesce(s.state = 'given' AND s.proof <> 'none' AND s.since >= b.since
                           AND (s.recorded_at, s.record_id) > (b.recorded_at, b.record_id), false)
    ) o ON true
) f
"""


#: the state as it will be once the sales of the past are gone through (consent.services.sales)
_AFTER_SALES = """
CASE
    WHEN s.state IN ('given', 'soft_opt_in') THEN CASE WHEN {refused} THEN 'withdrawn' ELSE s.state END
    WHEN s.state IS NULL OR s.state = 'expired' THEN
        CASE WHEN {refused} THEN 'refused' WHEN {bought} THEN 'soft_opt_in' ELSE s.state END
    ELSE s.state
END
"""
_SALE = """
EXISTS (SELECT 1 FROM profiles_interaction e JOIN profiles_source c ON c.id = e.source_id AND c.kind <> 'browser'
        WHERE e.profile_id = a.profile_id AND e.kind = 'track' AND e.name = %s AND e.occurred_at >= %s
          AND (s.since IS NULL OR e.occurred_at >= s.since){refusal})
"""
_REFUSAL = " AND lower(btrim(e.properties ->> %s)) IN ('true', 'yes', '1', 'ja', 'on')"


def _state_sql(facts: SoftOptIn | None) -> tuple[str, list[Any]]:
    """Return (SQL, params) of what holds: what is kept, or what will hold by the sales of the past."""
    if facts is None:
        return "s.state", []
    sale, refusal = [facts.event, facts.begin(ZoneInfo(settings.BUSINESS_TIME_ZONE))], [facts.refused_property]
    if not facts.refused_property:
        return _AFTER_SALES.format(refused="false", bought=_SALE.format(refusal="")), sale
    refused = _SALE.format(refusal=_REFUSAL)
    text = _AFTER_SALES.format(refused=refused, bought=_SALE.format(refusal=""))
    return text, [*sale, *refusal, *sale, *refusal, *sale]


def decisions_sql(
    *, purpose_id: int, channel: str, audience_sql: str, params: Sequence[Any] = (), terms: Terms | None = None
) -> tuple[str, list[Any]]:
    """Return (sql, params) of a SELECT of (profile_id, address, reason, record_id); reason '' means allowed.

    `audience_sql` is a subquery that yields `profile_id`, with `params` for its placeholders. An address can be given
    beside a reason: look at the reason first. `record_id` names the record that allows or forbids, where there is one;
    beside a reason of the address (no_address, suppressed) it is the record that would have allowed. `terms` decides by
    other terms than those in force: to show what a change would do.
    """
    terms = terms or terms_in_force(purpose_id)
    kind = KIND_OF_CHANNEL.get(channel) or "email"
    # A literal percent sign would be read as a placeholder; there is none in these constants.
    digests, digest_params = fitting_ring().sql(f"'{kind}:' || {_NORMAL[kind]}")
    state, state_params = _state_sql(terms.prospective)
    sql = _DECISIONS.format(
        state=state,
        allowing=", ".join(f"'{name}'" for name in terms.allowing_states),
        active=_bool(usable(terms, channel)),
        objectable=_bool(terms.objectable),
        opt_in=_bool(terms.opt_in),
        seen_only=_bool(terms.requires_seen_proof),
        confirmed_only=_bool(terms.requires_confirmed),
        marketing=_bool(terms.is_marketing),
        kind=kind,
        address=_ADDRESS[kind],
        normal=_NORMAL[kind],
        digests=digests,
        audience=audience_sql,
    )
    return sql, [*digest_params, *state_params, *params, purpose_id, channel]


def terms_in_force(purpose_id: int) -> Terms:
    """Return the terms by which a purpose decides now."""
    purpose = Purpose.objects.filter(pk=purpose_id).first()
    return NO_TERMS if purpose is None else purpose.terms


def _bool(value: bool) -> str:
    return "true" if value else "false"


def check(*, profile_ids: Collection[int], purpose_id: int, channel: str) -> dict[int, Decision]:
    """Return a decision for each of these people: two statements, however many they are."""
    terms = terms_in_force(purpose_id)
    sql, params = decisions_sql(
        purpose_id=purpose_id,
        channel=channel,
        audience_sql="SELECT unnest(%s::bigint[]) AS profile_id",
        params=[sorted(set(profile_ids))],
        terms=terms,
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return {
            profile_id: Decision(not reason, reason, record_id, address, terms.version_id, terms.silent_basis)
            for profile_id, address, reason, record_id in cursor.fetchall()
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What may be done with one person, for one purpose by one channel."""

    purpose: Purpose
    channel: str
    decision: Decision
    state: ConsentState | None


def answers_for(profile_id: int, *, purposes: Sequence[Purpose] | None = None) -> list[Answer]:
    """Return the decision for every active purpose and channel of a person, from the pure rules."""
    profile = Profile.objects.filter(pk=profile_id).first()
    states = list(ConsentState.objects.filter(profile_id=profile_id).select_related("purpose"))
    identifiers = list(Identifier.objects.filter(profile_id=profile_id).order_by("id"))
    by_key = {(row.purpose_id, row.channel): row for row in states}
    objections = tuple(statement_of(row) for row in states if row.state == OBJECTED and row.purpose.is_marketing)
    addresses = {channel: _address(profile, identifiers, kind) for channel, kind in KIND_OF_CHANNEL.items()}
    suppressed = _suppressed(addresses)
    alive = profile is not None and profile.merged_into_id is None and profile.erased_at is None
    chosen = purposes if purposes is not None else list(Purpose.objects.filter(active=True))
    found = []
    for purpose in chosen:
        for channel in purpose.channels:
            row = by_key.get((purpose.pk, channel))
            kind = KIND_OF_CHANNEL.get(channel, "")
            facts = Facts(
                terms=purpose.terms,
                channel=channel,
                alive=alive,
                restricted=profile is not None and profile.restricted_at is not None,
                standing=statement_of(row) if row is not None else None,
                objections=objections,
                address=addresses.get(channel, ""),
                unverified_address=any(item.kind == kind for item in identifiers),
                confirmed=_is_confirmed(identifiers, kind, addresses.get(channel, "")),
                suppressed=channel in suppressed,
            )
            found.append(Answer(purpose, channel, decide(facts), row))
    return found


def statement_of(row: ConsentState) -> Statement:
    """Return a kept state as the policy reads it."""
    return Statement(
        record_id=row.record_id,
        subject=0,
        state=row.state,
        proof=row.proof,
        occurred_at=row.since,
        recorded_at=row.recorded_at,
    )


def _address(profile: Profile | None, identifiers: Sequence[Identifier], kind: str) -> str:
    if kind == "email":
        return profile.email if profile is not None else ""
    return next((item.value for item in identifiers if item.kind == kind and item.trusted and item.tied), "")


def _is_confirmed(identifiers: Sequence[Identifier], kind: str, address: str) -> bool:
    wanted = normalise(kind, address)
    return any(item.kind == kind and item.value == wanted and item.confirmed_at is not None for item in identifiers)


def _suppressed(addresses: dict[str, str]) -> set[str]:
    ring = fitting_ring()
    from_digest = {
        digest: KIND_OF_CHANNEL[channel]
        for channel, address in addresses.items()
        if address
        for digest in ring.digests(KIND_OF_CHANNEL[channel], address)
    }
    kinds = {from_digest[digest] for digest in suppressed_digests(from_digest)}
    return {channel for channel, kind in KIND_OF_CHANNEL.items() if kind in kinds}


def suppressed_digests(digests: Collection[str]) -> set[str]:
    """Return those of the digests that are on the list now."""
    if not digests:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT digest FROM consent_suppression WHERE lifted_at IS NULL AND digest = ANY(%s)",
            [sorted(digests)],
        )
        return {row[0] for row in cursor.fetchall()}
