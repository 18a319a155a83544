"""Append to the ledger: one statement, or tens of thousands in a few set-based steps."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from cdp.common.arrays import numbers, texts
from cdp.common.copying import copy_rows
from cdp.common.errors import CdpError
from consent.models import ConsentRecord, ConsentText, Purpose, PurposeVersion
from consent.policy.canonical import GENESIS, clean_payload, payload_digest
from consent.policy.chain import Link, link_hash
from consent.services.entries import ConsentEntry, actor_label, check_entries
from consent.services.journaling import note_refusals
from consent.services.states import refresh_states
from consent.services.subjects import alive_profiles, lock_chains, profiles_of, strongest_identifiers
from profiles.changes import Change, announce
from profiles.models import Source
from profiles.resolution.rows import lock_profiles


@transaction.atomic
def record_consent(
    *,
    profile_id: int,
    purpose: Purpose | int | str,
    channel: str,
    state: str,
    method: str,
    actor: Any,
    source: Source | int | None = None,
    text: ConsentText | int | None = None,
    evidence: Mapping[str, Any] | None = None,
    occurred_at: datetime | None = None,
    identifier_id: int | None = None,
    reference: str = "",
    seen: bool = False,
) -> ConsentRecord:
    """Record one statement of a person and bring what holds up to date.

    `evidence` is the personal part (page, IP, words of a letter; `proof` states how the permission is known).
    `seen` is for pages of ours that took the answer from the person; anybody else's word is a claim.
    A profile that was joined into another stands for that other. Raises CdpError for an erased or unknown person.
    """
    entry = ConsentEntry(
        profile_id=profile_id,
        purpose_id=find_purpose(purpose).pk,
        channel=channel,
        state=state,
        method=method,
        actor=actor_label(actor),
        source_id=source.pk if isinstance(source, Source) else source,
        text_id=text.pk if isinstance(text, ConsentText) else text,
        evidence=evidence or {},
        occurred_at=occurred_at,
        identifier_id=identifier_id,
        reference=reference,
        seen=seen,
    )
    ids = record_consents([entry])
    if not ids:
        raise CdpError("consent.unknown_person", _("This person does not exist, or was erased."), status=404)
    return ConsentRecord.objects.select_related("purpose", "purpose_version", "text").get(pk=ids[0])


def find_purpose(purpose: Purpose | int | str) -> Purpose:
    """Return a purpose by itself, its id or its short name."""
    if isinstance(purpose, Purpose):
        return purpose
    lookup = {"pk": purpose} if isinstance(purpose, int) else {"slug": purpose}
    found = Purpose.objects.filter(**lookup).first()
    if found is None:
        raise CdpError("consent.unknown_purpose", _("There is no such purpose."), place="purpose", status=404)
    return found


def version_in_force(purpose: Purpose) -> PurposeVersion:
    """Return the version that lays down a purpose's terms now; every saved purpose has one."""
    if purpose.current is None:
        raise ValueError(f"purpose {purpose.pk} has no version")
    return purpose.current


@transaction.atomic
def record_consents(entries: Sequence[ConsentEntry], *, tell: bool = True) -> list[int]:
    """Record many statements in a few statements to the database; return the ids of the records, in order.

    Entries about people who are erased or unknown, or have no identifier, are left out. `tell=False` when the caller
    announces a change of these people itself.
    """
    if not entries:
        return []
    purposes = check_entries(entries)
    ready = _with_subjects(entries)
    if not ready:
        return []
    lock_profiles({entry.profile_id for entry in ready})
    ids = _append(ready, purposes)
    changed = refresh_states({entry.profile_id for entry in ready})
    if tell and changed:
        announce(Change(profile_ids=changed, cause="consent"))
    return ids


def _with_subjects(entries: Sequence[ConsentEntry]) -> list[ConsentEntry]:
    """Return the entries with the alive profile and the subject of each."""
    known = profiles_of({entry.identifier_id for entry in entries if entry.identifier_id is not None})
    asked = {entry.profile_id for entry in entries} | set(known.values())
    alive = alive_profiles(asked)
    subjects = strongest_identifiers(set(alive.values()))
    ready = []
    for entry in entries:
        # The subject decides: its profile may have changed since the caller looked.
        subject = entry.identifier_id if entry.identifier_id in known else None
        profile_id = alive.get(known[subject] if subject is not None else entry.profile_id)
        subject = subject if subject is not None else subjects.get(profile_id or 0)
        if profile_id is None or subject is None:
            continue
        same = (entry.profile_id, entry.identifier_id) == (profile_id, subject)
        ready.append(entry if same else replace(entry, profile_id=profile_id, identifier_id=subject))
    return ready


def _append(entries: Sequence[ConsentEntry], purposes: Mapping[int, Purpose]) -> list[int]:
    """Make the links of the chains and write records, evidence and heads."""
    chains = lock_chains({_subject(entry) for entry in entries}, GENESIS)
    ids, now = _take_ids(len(entries))
    words = dict(ConsentText.objects.filter(pk__in={entry.text_id for entry in entries}).values_list("pk", "digest"))
    versions = {purpose_id: version_in_force(purpose) for purpose_id, purpose in purposes.items()}
    records: list[tuple[Any, ...]] = []
    ends: dict[int, int] = {}
    proofs: list[tuple[Any, ...]] = []
    said: list[tuple[ConsentEntry, datetime]] = []
    randomness = secrets.token_hex(16 * len(entries))
    for number, (record_id, entry) in enumerate(zip(ids, entries, strict=True)):
        subject = _subject(entry)
        position, head = chains[subject]
        payload = clean_payload(dict(entry.evidence))
        salt = randomness[32 * number : 32 * number + 32] if payload else ""
        link = Link(
            id=record_id,
            subject=subject,
            position=position + 1,
            profile=entry.profile_id,
            purpose=entry.purpose_id,
            version=versions[entry.purpose_id].pk,
            terms=versions[entry.purpose_id].digest,
            channel=entry.channel,
            state=entry.state,
            proof=entry.proof,
            method=entry.method,
            actor=entry.actor,
            source=entry.source_id,
            text=entry.text_id,
            words=words.get(entry.text_id, "") if entry.text_id is not None else "",
            because=entry.because_id,
            reference=entry.reference[:160],
            occurred_at=min(entry.occurred_at or now, now),  # nobody speaks in the future
            recorded_at=now,
            payload_digest=payload_digest(salt, payload) if payload else "",
            prev_hash=head,
        )
        said.append((entry, link.occurred_at))
        digest = link_hash(link)
        chains[subject] = (link.position, digest)
        ends[subject] = record_id
        records.append(_record_row(link, digest))
        if payload:
            proofs.append((record_id, subject, salt, payload))
    copy_rows("consent_consentrecord", RECORD_COLUMNS, records)
    copy_rows("consent_consentevidence", ("record_id", "identifier_id", "salt", "payload"), proofs)
    _write_heads(chains, ends)
    note_refusals(said)
    return ids


RECORD_COLUMNS = (
    "id",
    "identifier_id",
    "position",
    "profile_id",
    "purpose_id",
    "purpose_version_id",
    "channel",
    "state",
    "proof",
    "method",
    "actor",
    "source_id",
    "text_id",
    "because_id",
    "reference",
    "occurred_at",
    "recorded_at",
    "payload_digest",
    "prev_hash",
    "hash",
)


def _record_row(link: Link, digest: str) -> tuple[Any, ...]:
    return (
        link.id,
        link.subject,
        link.position,
        link.profile,
        link.purpose,
        link.version,
        link.channel,
        link.state,
        link.proof,
        link.method,
        link.actor,
        link.source,
        link.text,
        link.because,
        link.reference,
        link.occurred_at,
        link.recorded_at,
        link.payload_digest,
        link.prev_hash,
        digest,
    )


def _subject(entry: ConsentEntry) -> int:
    if entry.identifier_id is None:
        raise ValueError("an entry without a subject cannot be appended")
    return entry.identifier_id


def _take_ids(count: int) -> tuple[list[int], datetime]:
    """Return record ids in rising order and the time of the database's clock. Call it with the locks held.

    The lock is the one that the COPY takes anyway, taken before the ids: the sealing waits for it, so that no record
    comes to stand below a seal.
    """
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE consent_consentrecord IN ROW EXCLUSIVE MODE")
        cursor.execute(
            "SELECT array_agg(nextval(pg_get_serial_sequence('consent_consentrecord', 'id')))::text, "
            "date_trunc('microseconds', clock_timestamp()) FROM generate_series(1, %s)",
            [count],
        )
        ids, now = cursor.fetchone()
    return sorted(map(int, ids[1:-1].split(","))), now


def _write_heads(chains: Mapping[int, tuple[int, str]], ends: Mapping[int, int]) -> None:
    subjects = sorted(chains)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE consent_consentchain c SET position = n.position, head = n.head, record_id = n.record_id "
            "FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::bigint[]) AS n(subject, position, head, record_id) "
            "WHERE c.identifier_id = n.subject",
            [
                numbers(subjects),
                numbers(chains[subject][0] for subject in subjects),
                texts(chains[subject][1] for subject in subjects),
                numbers(ends[subject] for subject in subjects),
            ],
        )
