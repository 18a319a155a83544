"""Refusals, suppressions and erasures come back from the journal into a database that was restored from a backup."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from cdp.common.arrays import texts
from consent.keys import note_chains
from consent.models import ConsentRecord, Purpose, Suppression
from consent.models.ledger import Method
from consent.services.entries import ConsentEntry
from consent.services.erasing import erase_person
from consent.services.recording import record_consents
from profiles.keyring import key_ring
from profiles.models import Identifier, Profile

ACTOR = "system:journal"
#: a look for digests goes over all people or identifiers
_SEARCH_TIMEOUT = "15min"


@transaction.atomic
def apply_suppressions(entries: Sequence[Mapping[str, Any]]) -> int:
    """Put what the list has forgotten back on it, or off it; return how many rows changed."""
    last = {(entry["digest"], entry["reason"]): entry for entry in entries}
    note_chains({str(entry["key_chain"]) for entry in last.values()})
    changed = 0
    for (digest, reason), entry in sorted(last.items()):
        lifted = timezone.now() if entry["lifted"] else None
        row, fresh = Suppression.objects.get_or_create(
            digest=digest,
            reason=reason,
            defaults={
                "key_chain": entry["key_chain"], "kind": entry["kind"], "created_by": ACTOR, "lifted_at": lifted,
                "lifted_by": ACTOR if lifted else "",
            },
        )  # fmt: skip
        if not fresh and (row.lifted_at is None) == bool(entry["lifted"]):
            row.lifted_at, row.lifted_by, row.lift_note = lifted, ACTOR if lifted else "", ""
            row.save(update_fields=["lifted_at", "lifted_by", "lift_note"])
            fresh = True
        changed += fresh
    return changed


def apply_erasures(entries: Sequence[Mapping[str, Any]]) -> int:
    """Erase again whom the database remembers anew; return how many people that were."""
    profiles = _profiles_by_digest({entry["profile"] for entry in entries})
    holders = _identifiers_by_digest({digest for entry in entries for digest in entry["identifiers"]})
    people = {*profiles.values(), *(profile_id for _pk, profile_id in holders.values())}
    alive = Profile.objects.filter(pk__in=people, merged_into=None, erased_at=None)
    erased = 0
    for profile_id in alive.order_by("pk").values_list("pk", flat=True):
        erase_person(profile_id=profile_id, actor=ACTOR, reason="erased before the backup was restored")
        erased += 1
    return erased


@transaction.atomic
def apply_refusals(entries: Sequence[Mapping[str, Any]]) -> int:
    """Record again what lowered a permission and the database does not know of; return how many records that made."""
    purposes = {purpose.slug: purpose for purpose in Purpose.objects.all()}
    subjects = _identifiers_by_digest({entry["subject"] for entry in entries if entry["subject"]})
    profiles = _profiles_by_digest({entry["profile"] for entry in entries})
    people = {*profiles.values(), *(profile_id for _pk, profile_id in subjects.values())}
    known = set(
        ConsentRecord.objects.filter(profile_id__in=people, state__in={entry["state"] for entry in entries})
        .order_by()
        .values_list("profile_id", "purpose_id", "channel", "state", "occurred_at")
    )
    again: dict[tuple[int, int, str], ConsentEntry] = {}
    for entry in entries:
        purpose = purposes.get(entry["purpose"])
        identifier_id, profile_id = subjects.get(entry["subject"], (None, profiles.get(entry["profile"])))
        if purpose is None or profile_id is None or entry["channel"] not in purpose.channels:
            continue
        said = datetime.fromisoformat(entry["said"])
        if (profile_id, purpose.pk, entry["channel"], entry["state"], said) in known:
            continue
        key = (profile_id, purpose.pk, entry["channel"])
        again[key] = ConsentEntry(
            profile_id=profile_id,
            purpose_id=purpose.pk,
            channel=entry["channel"],
            state=entry["state"],
            method=Method.JOURNAL,
            actor=ACTOR,
            identifier_id=identifier_id,
            occurred_at=said,
            reference=f"journal:{entry['id']}",
        )
    return len(record_consents(list(again.values())))


def _profiles_by_digest(digests: Collection[str]) -> dict[str, int]:
    expression, params = key_ring().sql("'profile:' || p.uuid::text")
    return dict(_search(f"SELECT p.id, ARRAY[{expression}] FROM profiles_profile p", params, digests))


def _identifiers_by_digest(digests: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return {digest: (identifier, profile)}."""
    expression, params = key_ring().sql("i.kind || ':' || i.value")
    rows = _search(f"SELECT i.id, ARRAY[{expression}] FROM profiles_identifier i", params, digests)
    found = dict(rows)
    of = dict(Identifier.objects.filter(pk__in=found.values()).values_list("pk", "profile_id"))
    return {digest: (pk, of[pk]) for digest, pk in found.items() if pk in of}


def _search(query: str, params: Sequence[Any], digests: Collection[str]) -> list[tuple[str, int]]:
    """Return (digest, id) of the rows of `query` (id, digests) that have one of these digests; goes over all rows."""
    if not digests:
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [_SEARCH_TIMEOUT])
        cursor.execute(
            f"SELECT digest, id FROM ({query}) AS row (id, digests), unnest(digests) AS digest "
            "WHERE digest = ANY(%s::text[])",
            [*params, texts(sorted(digests))],
        )
        return [(row[0], row[1]) for row in cursor.fetchall()]
