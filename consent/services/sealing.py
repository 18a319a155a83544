"""Seal the ledger once a day, and verify all of it: chains, heads, evidence, seals and kept states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.arrays import bulk_cursor
from consent.models import (
    ConsentEvidence,
    ConsentRecord,
    ConsentState,
    ConsentText,
    LedgerSeal,
    Purpose,
    PurposeVersion,
)
from consent.policy.canonical import GENESIS, payload_digest, text_digest
from consent.policy.chain import Link, Problem, check_chain, seal_hash, seal_root
from consent.services.states import derive
from consent.services.versions import digest_of_version

_BLOCK = 5000
#: more problems than this are not listed one by one
_MOST = 200


@transaction.atomic
def seal_ledger() -> LedgerSeal | None:
    """Seal the records since the last seal; return the seal, or None when there is nothing new.

    The lock waits for writers under way (5 s at most, then it fails and is tried at the next beat), so that no record
    with a lower id can appear behind the seal.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute("LOCK TABLE consent_consentrecord IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT date_trunc('microseconds', clock_timestamp())")
        now: datetime = cursor.fetchone()[0]
    last = LedgerSeal.objects.order_by("-id").first()
    start = last.to_id + 1 if last is not None else 1
    rows = ConsentRecord.objects.filter(pk__gte=start).order_by("pk").values_list("pk", "hash")
    newest = rows.order_by("-pk").first()
    if newest is None:
        return None
    root, count = seal_root(rows.iterator(chunk_size=_BLOCK))
    prev_hash = last.hash if last is not None else GENESIS
    digest = seal_hash(from_id=start, to_id=newest[0], count=count, root=root, prev_hash=prev_hash, sealed_at=now)
    return LedgerSeal.objects.create(
        from_id=start, to_id=newest[0], count=count, root=root, prev_hash=prev_hash, hash=digest, sealed_at=now
    )


def verify_ledger() -> list[Problem]:
    """Return what is wrong anywhere in the ledger; the result is noted with the last seal."""
    problems: list[Problem] = []
    for problem in _everything():
        problems.append(problem)
        if len(problems) >= _MOST:
            break
    last = LedgerSeal.objects.order_by("-id").first()
    if last is not None:
        last.verified_at = None if problems else timezone.now()
        last.problem = "\n".join(f"{item.place}: {item.message}" for item in problems[:20])
        last.save(update_fields=["verified_at", "problem"])
    return problems


def _everything() -> Iterator[Problem]:
    yield from check_chain(links())
    yield from _check_texts()
    yield from _check_versions()
    yield from _check_heads()
    yield from _check_evidence()
    yield from _check_seals()
    yield from _check_states()


def links() -> Iterator[tuple[Link, str]]:
    """Yield every record as the hash covers it, by subject and position."""
    digests = Digests.load()
    after = (-(2**63), 0)
    rows = _links_after(*after)
    while rows:
        for row in rows:
            link = Link(
                **dict(zip(_LINK_FIELDS, row, strict=False)), words=digests.words(row[-2]), terms=digests.terms(row[5])
            )
            after = (link.subject, link.position)
            yield link, row[-1]
        rows = _links_after(*after)


_LINKS = """
SELECT id, identifier_id, position, profile_id, purpose_id, purpose_version_id, channel, state, proof, method, actor,
       source_id, because_id, reference, occurred_at, recorded_at, payload_digest, prev_hash, text_id, hash
FROM consent_consentrecord WHERE (identifier_id, position) > (%s, %s) ORDER BY identifier_id, position LIMIT %s
"""
#: the columns of _LINKS in their order, the hash apart
_LINK_FIELDS = (
    *("id", "subject", "position", "profile", "purpose", "version", "channel", "state", "proof", "method", "actor"),
    *("source", "because", "reference", "occurred_at", "recorded_at", "payload_digest", "prev_hash", "text"),
)


def _links_after(subject: int, position: int) -> list[tuple[Any, ...]]:
    with bulk_cursor() as cursor:
        cursor.execute(_LINKS, [subject, position, _BLOCK])
        return list(cursor.fetchall())


@dataclass(frozen=True)
class Digests:
    """The digests of texts and of versions of purposes, by id: a record's hash covers those that it names."""

    of_texts: dict[int, str]
    of_versions: dict[int, str]

    @classmethod
    def load(cls) -> Digests:
        """Read them all; they are few."""
        return cls(
            dict(ConsentText.objects.values_list("pk", "digest")),
            dict(PurposeVersion.objects.values_list("pk", "digest")),
        )

    def words(self, text_id: int | None) -> str:
        """Return the digest of a text, "" for none."""
        return self.of_texts.get(text_id, "") if text_id is not None else ""

    def terms(self, version_id: int) -> str:
        """Return the digest of a version of a purpose."""
        return self.of_versions.get(version_id, "")


def link_of(row: ConsentRecord, digests: Digests) -> Link:
    """Return a row as the hash covers it."""
    return Link(
        id=row.pk,
        subject=row.identifier_id,
        position=row.position,
        profile=row.profile_id,
        purpose=row.purpose_id,
        version=row.purpose_version_id,
        terms=digests.terms(row.purpose_version_id),
        channel=row.channel,
        state=row.state,
        proof=row.proof,
        method=row.method,
        actor=row.actor,
        source=row.source_id,
        text=row.text_id,
        words=digests.words(row.text_id),
        because=row.because_id,
        reference=row.reference,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        payload_digest=row.payload_digest,
        prev_hash=row.prev_hash,
    )


def _check_texts() -> Iterator[Problem]:
    for text in ConsentText.objects.iterator():
        if text_digest(text.text) != text.digest:
            yield Problem("words", f"text {text.pk}", f"the words of {text} were altered")


def _check_versions() -> Iterator[Problem]:
    for version in PurposeVersion.objects.iterator():
        if digest_of_version(version) != version.digest:
            yield Problem("terms", f"version {version.pk}", f"the terms of {version} were altered")
    for purpose in Purpose.objects.select_related("current"):
        if purpose.current is None or purpose.term_values() != purpose.current.term_values():
            yield Problem("terms", f"purpose {purpose.pk}", f"{purpose} is not what its last version lays down")


_HEADS = """
SELECT c.identifier_id, c.position, r.position
FROM consent_consentchain c
LEFT JOIN consent_consentrecord r ON r.identifier_id = c.identifier_id AND r.position = c.position AND r.hash = c.head
WHERE c.position > 0 AND r.id IS NULL
UNION ALL
SELECT r.identifier_id, 0, max(r.position) FROM consent_consentrecord r
LEFT JOIN consent_consentchain c ON c.identifier_id = r.identifier_id
WHERE c.identifier_id IS NULL OR c.position < r.position GROUP BY r.identifier_id
LIMIT 200
"""


def _check_heads() -> Iterator[Problem]:
    for subject, position, _found in _rows(_HEADS):
        yield Problem("head", f"subject {subject}", f"the chain does not end at position {position} as it should")


def _check_evidence() -> Iterator[Problem]:
    rows = ConsentEvidence.objects.filter(payload__isnull=False).values_list(
        "record_id", "salt", "payload", "record__payload_digest"
    )
    for record_id, salt, payload, digest in rows.iterator(chunk_size=_BLOCK):
        if payload_digest(salt, payload) != digest:
            yield Problem("payload", f"record {record_id}", "the evidence was altered")
    lost = """SELECT r.id FROM consent_consentrecord r LEFT JOIN consent_consentevidence e ON e.record_id = r.id
              WHERE r.payload_digest <> '' AND (e.record_id IS NULL OR (e.payload IS NULL AND e.erased_at IS NULL))
              LIMIT 200"""
    for (record_id,) in _rows(lost):
        yield Problem("missing", f"record {record_id}", "the evidence is gone, and no erasure says why")


def _check_seals() -> Iterator[Problem]:
    prev_hash, start = GENESIS, 1
    for seal in LedgerSeal.objects.order_by("id"):
        place = f"seal {seal.pk}"
        rows = ConsentRecord.objects.filter(pk__gte=seal.from_id, pk__lte=seal.to_id).order_by("pk")
        root, count = seal_root(rows.values_list("pk", "hash").iterator(chunk_size=_BLOCK))
        if seal.prev_hash != prev_hash or seal.from_id != start:
            yield Problem("seal", place, "does not follow the seal before it")
        if count != seal.count:
            yield Problem("seal", place, f"{seal.count} records were sealed, {count} are there")
        elif root != seal.root:
            yield Problem("seal", place, "a sealed record was altered")
        digest = seal_hash(
            from_id=seal.from_id,
            to_id=seal.to_id,
            count=seal.count,
            root=seal.root,
            prev_hash=seal.prev_hash,
            sealed_at=seal.sealed_at,
        )
        if digest != seal.hash:
            yield Problem("seal", place, "the seal was altered")
        prev_hash, start = seal.hash, seal.to_id + 1


def _check_states() -> Iterator[Problem]:
    """Compare the kept answers with those that the ledger gives, block by block of people."""
    last = 0
    people = """SELECT DISTINCT profile_id FROM (
        SELECT s.profile_id FROM consent_consentstate s JOIN profiles_profile p ON p.id = s.profile_id
        WHERE s.profile_id > %s
        UNION ALL
        SELECT i.profile_id FROM consent_consentchain c JOIN profiles_identifier i ON i.id = c.identifier_id
        WHERE i.profile_id > %s AND c.position > 0) x ORDER BY 1 LIMIT 5000"""
    while block := [row[0] for row in _rows(people, [last, last])]:
        last = block[-1]
        wanted = {key: item.record_id for key, item in derive(block).items()}
        kept = {
            (row.profile_id, row.purpose_id, row.channel): (row.record_id, row.state)
            for row in ConsentState.objects.filter(profile_id__in=block)
        }
        states = dict(ConsentRecord.objects.filter(pk__in=wanted.values()).values_list("pk", "state"))
        for key in sorted(wanted.keys() | kept.keys()):
            record_id = wanted.get(key)
            if kept.get(key) != (record_id, states.get(record_id or 0)):
                yield Problem("state", f"person {key[0]}", f"the kept answer for purpose {key[1]} is not the ledger's")


def _rows(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params or [])
        return list(cursor.fetchall())


def ledger_health() -> tuple[bool, str, str]:
    """Tell what the last verification found (ok, found, mend)."""
    last = LedgerSeal.objects.order_by("-id").first()
    if last is None:
        return True, _("not sealed yet"), ""
    if last.problem:
        return (
            False,
            last.problem.splitlines()[0],
            _("See the privacy desk; compare with a backup: manage.py verify_ledger"),
        )
    when = f"{last.sealed_at:%Y-%m-%d %H:%M} UTC"
    return True, _("sealed %(when)s, %(record)s is the last record") % {"when": when, "record": last.to_id}, ""
