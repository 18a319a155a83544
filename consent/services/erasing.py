"""Erase a person (GDPR art. 17): suppress first, then walk every registered holder of personal data."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from cdp.common.registry import personal_data
from consent.models import ConsentEvidence, ConsentRecord, ConsentState, Erasure, SuppressionReason
from consent.services.entries import actor_label
from consent.services.subjects import lock_profiles
from consent.services.suppressing import suppress_identifiers
from profiles.changes import Change, announce
from profiles.models import Identifier, Profile


@transaction.atomic
def erase_person(*, profile_id: int, actor: Any, reason: str) -> Erasure:
    """Erase a person everywhere and keep them out of later imports; return the receipt.

    Idempotent: a second call erases what came in meanwhile and adds to the same receipt. Holders are walked from the
    highest app down, so that each still finds the identifiers that a lower one removes.
    """
    lock_profiles([profile_id])
    profile = Profile.objects.filter(pk=profile_id).first()
    if profile is None:
        raise CdpError("consent.unknown_person", _("This person does not exist."), status=404)
    if profile.merged_into_id is not None:
        raise CdpError("consent.joined_person", _("This person was joined into another: erase that one."), status=409)
    identifiers = list(Identifier.objects.filter(profile_id=profile_id).values_list("kind", "value"))
    stones = suppress_identifiers(identifiers=identifiers, reason=SuppressionReason.ERASURE, actor=actor)
    counts: Counter[str] = Counter({"consent_suppression": stones})
    for holder in reversed(list(personal_data)):
        counts.update(holder.erase(profile_id))
    Profile.objects.filter(pk=profile_id, erased_at=None).update(erased_at=timezone.now())
    receipt, fresh = Erasure.objects.get_or_create(
        profile_id=profile_id,
        defaults={"actor": actor_label(actor), "reason": reason[:200], "counts": dict(counts)},
    )
    if not fresh:
        receipt.counts = dict(Counter(receipt.counts) + counts)
        receipt.save(update_fields=["counts"])
    announce(Change(profile_ids={profile_id}, cause="erase"))
    return receipt


def erase_consent_data(profile_id: int) -> dict[str, int]:
    """Erase the personal part of a person's records and their states; the chains stay, and stay verifiable."""
    subjects = set(Identifier.objects.filter(profile_id=profile_id).values_list("pk", flat=True))
    subjects |= set(ConsentRecord.objects.filter(profile_id=profile_id).values_list("identifier_id", flat=True))
    evidence = ConsentEvidence.objects.filter(identifier_id__in=subjects, payload__isnull=False).update(
        payload=None, salt="", erased_at=timezone.now()
    )
    states, _by_table = ConsentState.objects.filter(profile_id=profile_id).delete()
    return {"consent_consentevidence": evidence, "consent_consentstate": states}


def collect_consent_data(profile_id: int) -> dict[str, Any]:
    """Return what the ledger holds about a person, for an access request."""
    subjects = Identifier.objects.filter(profile_id=profile_id).values_list("pk", flat=True)
    rows = ConsentRecord.objects.filter(identifier_id__in=list(subjects)).select_related("purpose", "text", "evidence")
    return {"consents": [described(row) for row in rows.order_by("id")]}


def described(record: ConsentRecord) -> dict[str, Any]:
    """Return a record with its words and evidence as plain values."""
    evidence: ConsentEvidence | None = getattr(record, "evidence", None)
    return {
        "record": record.pk,
        "purpose": record.purpose.slug,
        "channel": record.channel,
        "state": record.state,
        "method": record.method,
        "actor": record.actor,
        "occurred_at": record.occurred_at.isoformat(),
        "recorded_at": record.recorded_at.isoformat(),
        "words": record.text.text if record.text is not None else "",
        "words_version": record.text.version if record.text is not None else None,
        "evidence": evidence.payload if evidence is not None else None,
        "reference": record.reference,
        "subject": record.identifier_id,
        "position": record.position,
        "prev_hash": record.prev_hash,
        "hash": record.hash,
    }
