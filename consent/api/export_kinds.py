"""The export of consent records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from cdp.common.exports import Described, ExportKind, filtered, plain_columns
from cdp.common.keyset import Order
from consent.filters import RecordApiFilters
from consent.models import ConsentRecord
from profiles.models import Profile

FIELDS = (
    "id", "profile_id", "purpose_id", "channel", "state", "proof", "method", "actor", "purpose_version", "text_version",
    "reference", "occurred_at", "recorded_at", "hash",
)  # fmt: skip


def record_rows(filters: Mapping[str, str], reader: Any) -> QuerySet[ConsentRecord]:
    """Return the records of an export."""
    return filtered(
        ConsentRecord.objects.select_related("purpose", "purpose_version", "text"), filters, RecordApiFilters, reader
    )


def records(rows: Sequence[ConsentRecord], _parts: Sequence[str], _open_names: bool) -> list[Described]:
    """Return records, without their evidence: that is fetched record by record."""
    ids = dict(Profile.objects.filter(pk__in={row.profile_id for row in rows}).values_list("pk", "uuid"))
    return [
        {
            "id": str(row.uuid),
            "profile_id": str(ids[row.profile_id]) if row.profile_id in ids else None,
            "purpose_id": row.purpose.slug,
            "channel": row.channel,
            "state": row.state,
            "proof": row.proof,
            "method": row.method,
            "actor": row.actor,
            "purpose_version": row.purpose_version.version,
            "text_version": row.text.version if row.text is not None else None,
            "reference": row.reference,
            "occurred_at": row.occurred_at,
            "recorded_at": row.recorded_at,
            "hash": row.hash,
        }
        for row in rows
    ]


CONSENT_RECORDS = ExportKind(
    label=_("Consent records"),
    permission="consent.view_consentrecord",
    rows=record_rows,
    order=lambda: Order.of(ConsentRecord, "id"),
    describe=records,
    columns=lambda _parts, _open_names: plain_columns(*FIELDS),
)
