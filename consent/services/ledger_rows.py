"""Read the ledger as the verification looks at it: block by block, each record with what stands beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import DataError, connection

from cdp.common.arrays import bulk_cursor
from consent.models import ConsentText, LedgerSeal, PurposeVersion
from consent.policy.chain import Link, Problem
from consent.policy.verification import ERASED, KEPT, MISSING, NONE, Digests, Entry, Seal

BLOCK = 2_000

_ENTRIES = """
SELECT r.id, r.identifier_id, r.position, r.profile_id, r.purpose_id, r.purpose_version_id, r.channel, r.state, r.proof,
       r.method, r.actor, r.source_id, r.text_id, r.because_id, r.reference, r.occurred_at, r.recorded_at,
       r.payload_digest, r.prev_hash, r.hash, b.hash, c.position IS NULL OR c.position < r.position,
       e.record_id, e.salt, e.payload::text, e.erased_at IS NOT NULL
FROM consent_consentrecord r
LEFT JOIN consent_consentrecord b ON b.identifier_id = r.identifier_id AND b.position = r.position - 1
LEFT JOIN consent_consentchain c ON c.identifier_id = r.identifier_id
LEFT JOIN consent_consentevidence e ON e.record_id = r.id
WHERE {where} LIMIT %s
"""
_BY_ID = _ENTRIES.format(where="r.id > %s AND r.id <= %s ORDER BY r.id")
_BY_POSITION = _ENTRIES.format(where="r.identifier_id = %s ORDER BY r.position")
#: the columns of _ENTRIES in their order, up to the hash
_LINK_FIELDS = (
    *("id", "subject", "position", "profile", "purpose", "version", "channel", "state", "proof", "method", "actor"),
    *("source", "text", "because", "reference", "occurred_at", "recorded_at", "payload_digest", "prev_hash"),
)
_HASH = len(_LINK_FIELDS)


def load_digests() -> Digests:
    """Read the digests of all texts and versions of purposes; they are few."""
    return Digests(
        dict(ConsentText.objects.values_list("pk", "digest")),
        dict(PurposeVersion.objects.values_list("pk", "digest")),
    )


def read_block(after: int, upto: int, digests: Digests, limit: int = BLOCK) -> tuple[list[Entry], list[Problem], int]:
    """Return the next records by id, those that cannot even be read, and the last id looked at (`upto` at the end).

    A record that somebody gave a value which no program of ours reads (a time in the year 20000) is a problem of its
    own, and keeps nobody from looking at the others.
    """
    try:
        rows = _fetch(_BY_ID, [after, upto, limit])
    except (DataError, ValueError):
        if limit == 1:
            record_id = _next_id(after, upto)
            return [], [Problem("unreadable", f"record {record_id}", "holds a value that cannot be read")], record_id
        return read_block(after, upto, digests, max(1, limit // 10))
    last = rows[-1][0] if len(rows) == limit else upto
    return [entry_of(row, digests) for row in rows], [], last


def read_chain(subject: int, digests: Digests, limit: int) -> list[Entry]:
    """Return the records of one subject in their order."""
    return [entry_of(row, digests) for row in _fetch(_BY_POSITION, [subject, limit])]


def _fetch(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with bulk_cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def _next_id(after: int, upto: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id) FROM consent_consentrecord WHERE id > %s AND id <= %s", [after, upto])
        return int(cursor.fetchone()[0])


def entry_of(row: Sequence[Any], digests: Digests) -> Entry:
    """Return a row of _ENTRIES as the verification looks at it."""
    values = dict(zip(_LINK_FIELDS, row, strict=False))
    link = Link(**values, words=digests.words(values["text"]), terms=digests.terms(values["version"]))
    digest, before, beyond_head, evidence_of, salt, payload, erased = row[_HASH:]
    kept = KEPT if payload is not None else ERASED if erased else MISSING if evidence_of else NONE
    return Entry(
        link=link,
        hash=digest,
        before=before,
        evidence=kept,
        salt=salt or "",
        payload=json.loads(payload) if payload is not None else None,
        beyond_head=beyond_head,
    )


def seal_of(row: LedgerSeal) -> Seal:
    """Return a seal as the verification looks at it."""
    return Seal(
        id=row.pk,
        from_id=row.from_id,
        to_id=row.to_id,
        count=row.count,
        root=row.root,
        prev_hash=row.prev_hash,
        hash=row.hash,
        sealed_at=row.sealed_at,
    )


def seals_from(record_id: int) -> Iterator[tuple[Seal, Seal | None]]:
    """Yield the seals that end at or after a record, each with the one before it."""
    before = LedgerSeal.objects.filter(to_id__lt=record_id).order_by("-id").first()
    previous = seal_of(before) if before is not None else None
    for row in LedgerSeal.objects.filter(to_id__gte=record_id).order_by("id"):
        seal = seal_of(row)
        yield seal, previous
        previous = seal
