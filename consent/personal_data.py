"""What consent holds of a person: to hand over, and to erase; the chains of the ledger stay verifiable."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from consent.models import ConsentEvidence, ConsentRecord, ConsentState
from profiles.models import Identifier


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
