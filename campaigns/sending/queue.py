"""The send queue in SQL: claim, renew, step, release, recover. Every statement commits on its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from django.db import connection, transaction

from cdp.common.queues import LIVING_HOLDERS

#: how long a claim holds without a sign of life; renewed every LEASE_SECONDS / 4 while the process lives
LEASE_SECONDS = 60

_CLAIM = """
WITH chosen AS (
    SELECT campaign_id, profile_id, occurrence FROM campaigns_sendqueue
    WHERE campaign_id = %s AND phase = 'waiting' AND due_at <= now()
    ORDER BY due_at, profile_id LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE campaigns_sendqueue AS queue
SET phase = 'claimed', worker = %s, lease_until = now() + make_interval(secs => %s)
FROM chosen WHERE queue.campaign_id = chosen.campaign_id AND queue.profile_id = chosen.profile_id
  AND queue.occurrence = chosen.occurrence
RETURNING queue.profile_id, queue.attempts, queue.occurrence
"""

# One statement, one commit per message: the result of the last one and the mark on the next. A process that dies
# leaves at most one message per connection of which nobody can know. The mark is set only while the claim is still
# ours and the campaign still being sent, so pause, cancel and recovery are felt within one message. It may be set
# twice: a commit whose answer was lost is run again, and nothing was handed over in between.
_STEP = """
WITH written AS (
    UPDATE campaigns_delivery
    SET outcome = %(outcome)s::text, reason = %(reason)s::text,
        smtp_code = %(code)s::smallint, smtp_reply = %(reply)s::text,
        attempts = %(attempts)s::smallint,
        finished_at = CASE WHEN %(outcome)s::text = 'pending' THEN NULL ELSE now() END
    WHERE campaign_id = %(campaign)s::bigint AND profile_id = %(written)s::bigint
      AND occurrence = %(written_occurrence)s::text
      AND (outcome = 'pending' OR (outcome = 'unknown' AND NOT %(again)s::boolean))
), gone AS (
    DELETE FROM campaigns_sendqueue
    WHERE campaign_id = %(campaign)s::bigint AND profile_id = %(written)s::bigint
      AND occurrence = %(written_occurrence)s::text AND NOT %(again)s::boolean
), again AS (
    UPDATE campaigns_sendqueue
    SET phase = 'waiting', worker = '', lease_until = NULL, attempts = %(attempts)s::smallint,
        due_at = now() + make_interval(secs => %(wait)s::float8)
    WHERE campaign_id = %(campaign)s::bigint AND profile_id = %(written)s::bigint
      AND occurrence = %(written_occurrence)s::text AND %(again)s::boolean AND worker = %(worker)s::text
), marked AS (
    UPDATE campaigns_sendqueue
    SET phase = 'handing_over', lease_until = now() + make_interval(secs => %(lease)s::float8)
    WHERE campaign_id = %(campaign)s::bigint AND profile_id = %(next)s::bigint
      AND occurrence = %(next_occurrence)s::text
      AND phase IN ('claimed', 'handing_over') AND worker = %(worker)s::text
      AND EXISTS (SELECT 1 FROM campaigns_campaign WHERE id = %(campaign)s::bigint AND status = 'sending')
    RETURNING profile_id
), kept AS (
    UPDATE campaigns_delivery
    SET context = %(context)s::jsonb, consent_record_id = %(record)s::bigint, basis = %(basis)s::text,
        purpose_version_id = coalesce(%(version)s::bigint, purpose_version_id),
        message_version_id = coalesce(%(message)s::bigint, message_version_id), address_digest = %(digest)s::text
    WHERE campaign_id = %(campaign)s::bigint AND profile_id = (SELECT profile_id FROM marked)
      AND occurrence = %(next_occurrence)s::text
)
SELECT count(*) FROM marked
"""


@dataclass(frozen=True)
class SendOutcome:
    """What became of a message, to be written down."""

    profile_id: int
    outcome: str  # sent | failed | unknown | pending (tried again)
    attempts: int
    reason: str = ""
    code: int = 0
    reply: str = ""
    wait_seconds: float = 0.0
    occurrence: str = ""


@dataclass(frozen=True)
class Mark:
    """The message that is handed over next, with what it was made from."""

    profile_id: int
    record_id: int | None
    basis: str
    version_id: int | None
    address_digest: str
    context: dict[str, Any] = field(default_factory=dict)
    occurrence: str = ""
    message_version_id: int | None = None  # None: the one that was decided with


class Claimed(NamedTuple):
    """A message in the hands of this worker."""

    profile_id: int
    attempts: int
    occurrence: str


def claim(*, campaign_id: int, worker: str, limit: int) -> list[Claimed]:
    """Claim a block for this worker, at most one message a person. Committed before any network call."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [campaign_id, limit, worker, LEASE_SECONDS])
        rows = sorted(Claimed(*row) for row in cursor.fetchall())
    first = {row.profile_id: row for row in reversed(rows)}
    give_back([row for row in rows if first[row.profile_id] is not row], campaign_id=campaign_id, worker=worker)
    return sorted(first.values())


def give_back(rows: Sequence[Claimed], *, campaign_id: int, worker: str) -> None:
    """Let go of further messages to people who have one in the block already."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_sendqueue SET phase = 'waiting', worker = '', lease_until = NULL "
            "WHERE campaign_id = %s AND worker = %s AND phase = 'claimed' AND (profile_id, occurrence) IN "
            "(SELECT * FROM unnest(%s::bigint[], %s::text[]))",
            [campaign_id, worker, [row.profile_id for row in rows], [row.occurrence for row in rows]],
        )


def step(*, campaign_id: int, worker: str, outcome: SendOutcome | None, mark: Mark | None) -> bool:
    """Write the last result and mark the next message in one commit; tell whether the next may be handed over.

    Prepared on the server: planning this statement anew for every message would cost more than running it.
    """
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            _STEP,
            {
                "campaign": campaign_id,
                "worker": worker,
                "lease": LEASE_SECONDS,
                "written": outcome.profile_id if outcome else None,
                "written_occurrence": outcome.occurrence if outcome else "",
                "outcome": outcome.outcome if outcome else "",
                "reason": outcome.reason if outcome else "",
                "code": outcome.code if outcome else 0,
                "reply": outcome.reply[:500].replace("\x00", "") if outcome else "",
                "attempts": outcome.attempts if outcome else 0,
                "again": bool(outcome and outcome.outcome == "pending"),
                "wait": outcome.wait_seconds if outcome else 0.0,
                "next": mark.profile_id if mark else None,
                "next_occurrence": mark.occurrence if mark else "",
                "message": mark.message_version_id if mark else None,
                "context": json.dumps(mark.context) if mark else "{}",
                "record": mark.record_id if mark else None,
                "basis": mark.basis if mark else "",
                "version": mark.version_id if mark else None,
                "digest": mark.address_digest if mark else "",
            },
            prepare=True,
        )
        row = cursor.fetchone()
        return bool(row and row[0])


@dataclass(frozen=True, order=True)
class Skip:
    """Somebody who may not have the message after all, and the record that says so."""

    profile_id: int
    reason: str
    record_id: int | None
    occurrence: str = ""


def write_skips(*, campaign_id: int, worker: str, skips: Sequence[Skip]) -> None:
    """Write down those of a block who may not have it after all."""
    if not skips:
        return
    rows = sorted(skips, key=lambda row: (row.profile_id, row.occurrence))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH skipped AS (
                SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[])
                    AS row (profile_id, reason, record_id, occurrence)
            ), gone AS (
                DELETE FROM campaigns_sendqueue AS queue USING skipped
                WHERE queue.campaign_id = %s AND queue.profile_id = skipped.profile_id AND queue.worker = %s
                  AND queue.occurrence = skipped.occurrence AND queue.phase = 'claimed'
                RETURNING queue.profile_id, queue.occurrence
            )
            UPDATE campaigns_delivery AS delivery
            SET outcome = CASE WHEN skipped.reason = ANY(%s) THEN 'failed' ELSE 'skipped' END,
                reason = skipped.reason, consent_record_id = skipped.record_id, finished_at = now()
            FROM skipped, gone
            WHERE gone.profile_id = skipped.profile_id AND gone.occurrence = skipped.occurrence
              AND delivery.campaign_id = %s AND delivery.profile_id = skipped.profile_id
              AND delivery.occurrence = skipped.occurrence AND delivery.outcome = 'pending'
            """,
            [
                [row.profile_id for row in rows], [row.reason for row in rows], [row.record_id for row in rows],
                [row.occurrence for row in rows],
                campaign_id, worker, ["render_error", "invalid_address"], campaign_id,
            ],
        )  # fmt: skip


def release(*, worker: str) -> None:
    """Give back what this worker claimed and did not begin."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_sendqueue SET phase = 'waiting', worker = '', lease_until = NULL "
            "WHERE worker = %s AND phase = 'claimed'",
            [worker],
        )


def renew(*, worker_prefix: str) -> None:
    """Show a sign of life for all connections of this process."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_sendqueue SET lease_until = now() + make_interval(secs => %s) "
            "WHERE phase <> 'waiting' AND worker LIKE %s",
            [LEASE_SECONDS, worker_prefix + "%"],
        )


def recover() -> tuple[int, int]:
    """Take up what dead workers left: claimed rows wait again, rows being handed over become `unknown`.

    A worker is known to be dead when the database session of the holder that its name begins with has ended; what it
    was handing over waits for its lease nevertheless, for its result may be on the way.

    Return (given back, unknown). Nothing that may have been handed over is ever sent again by itself.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE campaigns_sendqueue SET phase = 'waiting', worker = '', lease_until = NULL
            WHERE (campaign_id, profile_id, occurrence) IN (
                SELECT campaign_id, profile_id, occurrence FROM campaigns_sendqueue
                WHERE phase = 'claimed' AND (lease_until < now()
                    OR substring(worker FROM '^([0-9]{{1,10}}):')::bigint <> ALL (ARRAY({LIVING_HOLDERS})))
                ORDER BY campaign_id, profile_id, occurrence FOR UPDATE SKIP LOCKED)
            """
        )
        given_back = cursor.rowcount
        cursor.execute(
            """
            WITH lost AS (
                DELETE FROM campaigns_sendqueue WHERE (campaign_id, profile_id, occurrence) IN (
                    SELECT campaign_id, profile_id, occurrence FROM campaigns_sendqueue
                    WHERE phase = 'handing_over' AND lease_until < now()
                    ORDER BY campaign_id, profile_id, occurrence FOR UPDATE SKIP LOCKED)
                RETURNING campaign_id, profile_id, occurrence, attempts
            )
            UPDATE campaigns_delivery AS delivery
            SET outcome = 'unknown', reason = 'worker_died', attempts = lost.attempts + 1, finished_at = now()
            FROM lost
            WHERE delivery.campaign_id = lost.campaign_id AND delivery.profile_id = lost.profile_id
              AND delivery.occurrence = lost.occurrence AND delivery.outcome = 'pending'
            """
        )
        return given_back, cursor.rowcount


@dataclass(frozen=True)
class Person:
    """What a send needs to know of a person at the moment of handing over."""

    profile_id: int
    uuid: UUID
    traits: dict[str, Any]
    delivery_uuid: UUID
    data: dict[str, Any]  # of a single send: what the program gave along


def load_people(*, campaign_id: int, occurrences: Mapping[int, str]) -> dict[int, Person]:
    """Read the block's people and the names of their messages; `occurrences` by person."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT profile.id, profile.uuid, profile.traits, delivery.uuid, delivery.context -> 'data'
            FROM unnest(%s::bigint[], %s::text[]) AS block (profile_id, occurrence)
            JOIN profiles_profile AS profile ON profile.id = block.profile_id
            JOIN campaigns_delivery AS delivery ON delivery.campaign_id = %s
              AND delivery.profile_id = block.profile_id AND delivery.occurrence = block.occurrence
            WHERE profile.merged_into_id IS NULL
            """,
            [list(occurrences), list(occurrences.values()), campaign_id],
        )
        return {row[0]: Person(row[0], row[1], _object(row[2]), row[3], _object(row[4])) for row in cursor.fetchall()}


def _object(value: Any) -> dict[str, Any]:
    # Django leaves jsonb to its model fields, so a plain cursor gives text.
    loaded = json.loads(value) if isinstance(value, str) else value
    return loaded if isinstance(loaded, dict) else {}


def addresses_taken(*, campaign_id: int, digests: Sequence[str], profile_ids: Sequence[int]) -> set[str]:
    """Return the addresses of a block that another person of the campaign has: somebody's address changed meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT address_digest FROM campaigns_delivery "
            "WHERE campaign_id = %s AND address_digest = ANY(%s) AND profile_id <> ALL(%s) "
            "AND outcome IN ('pending', 'sent', 'unknown')",
            [campaign_id, list(digests), list(profile_ids)],
        )
        return {row[0] for row in cursor.fetchall()}
