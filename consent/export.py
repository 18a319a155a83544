"""Write the ledger to a file that anyone can verify without our database: `python -m consent.verify FILE`.

One JSON object a line: {"kind": "text" | "terms" | "seal" | "record" | "head", ...}, in that order, records by id.
A record line carries what its hash covers, its hash, and its evidence (salt and payload; null once erased).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.db import connection

from consent.models import ConsentText, LedgerSeal, PurposeVersion
from consent.policy.canonical import moment
from consent.policy.verification import ERASED, KEPT, Entry
from consent.services.ledger_rows import load_digests, read_block, seal_of


def export_lines() -> Iterator[str]:
    """Yield the lines of the whole ledger as it is at the beginning."""
    newest = _newest()
    for text in ConsentText.objects.order_by("pk"):
        yield _line(
            kind="text", id=text.pk, version=text.version, language=text.language, text=text.text, digest=text.digest
        )
    for version in PurposeVersion.objects.order_by("pk"):
        yield _line(
            kind="terms",
            id=version.pk,
            purpose=version.purpose_id,
            version=version.version,
            created_at=moment(version.created_at),
            created_by=version.created_by,
            effect=version.effect,
            digest=version.digest,
            **version.term_values(),
        )
    for row in LedgerSeal.objects.filter(to_id__lte=newest).order_by("pk"):
        seal = asdict(seal_of(row))
        yield _line(kind="seal", **(seal | {"sealed_at": moment(row.sealed_at)}))
    digests, last = load_digests(), 0
    while last < newest:
        entries, problems, last = read_block(last, newest, digests)
        yield from (_line(kind="record", **_record(entry)) for entry in entries)
        yield from (_line(kind="unreadable", place=item.place, message=item.message) for item in problems)
    yield from (_line(kind="head", subject=row[0], position=row[1], head=row[2]) for row in _heads(newest))


#: of a chain that grew while the file is written, the end is the last record that the file holds
_HEADS = """
SELECT c.identifier_id, coalesce(l.position, c.position), coalesce(l.hash, c.head) FROM (
    SELECT * FROM consent_consentchain WHERE identifier_id > %s AND position > 0 ORDER BY identifier_id LIMIT 5000
) c
LEFT JOIN LATERAL (
    SELECT r.position, r.hash FROM consent_consentrecord r
    WHERE c.record_id > %s AND r.identifier_id = c.identifier_id AND r.id <= %s ORDER BY r.position DESC LIMIT 1
) l ON true
WHERE c.record_id <= %s OR l.position IS NOT NULL
ORDER BY c.identifier_id
"""


def _heads(newest: int) -> Iterator[tuple[int, int, str]]:
    """Yield (subject, position, hash) of the ends of the chains, as of the newest record of the file."""
    last = -(2**63)
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_HEADS, [last, newest, newest, newest])
            rows = cursor.fetchall()
            if not rows:
                return
            yield from rows
            last = rows[-1][0]


def _newest() -> int:
    """Return the last record that there is, or that the head of a chain says there should be."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest((SELECT max(id) FROM consent_consentrecord), "
            "(SELECT max(record_id) FROM consent_consentchain), 0)"
        )
        return int(cursor.fetchone()[0])


def _record(entry: Entry) -> dict[str, Any]:
    body: dict[str, Any] = asdict(entry.link)
    body["occurred_at"], body["recorded_at"] = moment(entry.link.occurred_at), moment(entry.link.recorded_at)
    body["hash"] = entry.hash
    body["evidence"] = {"salt": entry.salt, "payload": entry.payload} if entry.evidence == KEPT else None
    body["evidence_erased"] = entry.evidence == ERASED
    return body


def _line(**body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True) + "\n"
