"""Write the ledger to a file that anyone can verify without our database: `python -m consent.verify FILE`.

One JSON object a line: {"kind": "text" | "terms" | "record" | "head" | "seal", ...}. A record line carries what its
hash covers, its hash, and its evidence (salt and payload; null once erased).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import Any

from consent.models import ConsentChain, ConsentRecord, ConsentText, LedgerSeal, PurposeVersion
from consent.policy.canonical import moment
from consent.services.sealing import Digests, link_of


def export_lines(*, subjects: Collection[int] | None = None) -> Iterator[str]:
    """Yield the lines of the whole ledger, or of some subjects (then without seals, which span all)."""
    digests = Digests.load()
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
    records = ConsentRecord.objects.select_related("evidence").order_by("identifier_id", "position")
    heads = ConsentChain.objects.filter(position__gt=0).order_by("identifier_id")
    if subjects is not None:
        records, heads = records.filter(identifier_id__in=subjects), heads.filter(identifier_id__in=subjects)
    for row in records.iterator(chunk_size=5000):
        yield _line(kind="record", **_record(row, digests))
    for head in heads.iterator(chunk_size=5000):
        yield _line(kind="head", subject=head.identifier_id, position=head.position, head=head.head)
    if subjects is None:
        for seal in LedgerSeal.objects.order_by("pk"):
            yield _line(
                kind="seal",
                id=seal.pk,
                from_id=seal.from_id,
                to_id=seal.to_id,
                count=seal.count,
                root=seal.root,
                prev_hash=seal.prev_hash,
                hash=seal.hash,
                sealed_at=moment(seal.sealed_at),
            )


def _record(row: ConsentRecord, digests: Digests) -> dict[str, Any]:
    body: dict[str, Any] = asdict(link_of(row, digests))
    body["occurred_at"], body["recorded_at"] = moment(row.occurred_at), moment(row.recorded_at)
    evidence = getattr(row, "evidence", None)
    kept = evidence is not None and evidence.payload is not None
    body["hash"] = row.hash
    body["evidence"] = {"salt": evidence.salt, "payload": evidence.payload} if evidence is not None and kept else None
    body["evidence_erased"] = bool(evidence is not None and evidence.erased_at is not None)
    return body


def _line(**body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True) + "\n"
