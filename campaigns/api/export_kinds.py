"""The export of deliveries: what became of every person of every audience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from campaigns.filters import DeliveryApiFilters
from campaigns.models import Delivery
from cdp.common.exports import Described, ExportKind, filtered, plain_columns
from cdp.common.keyset import Order
from consent.models import ConsentRecord
from profiles.models import Profile

FIELDS = (
    "id", "campaign_id", "campaign", "profile_id", "outcome", "reason", "basis", "consent_record_id", "smtp_code",
    "attempts", "decided_at", "finished_at",
)  # fmt: skip


def delivery_rows(filters: Mapping[str, str], reader: Any) -> QuerySet[Delivery]:
    """Return the deliveries of an export."""
    return filtered(Delivery.objects.select_related("campaign").defer("context"), filters, DeliveryApiFilters, reader)


def deliveries(rows: Sequence[Delivery], _parts: Sequence[str], _open_names: bool) -> list[Described]:
    """Return deliveries, without the values that each mail was rendered with."""
    numbers = {row.consent_record_id for row in rows if row.consent_record_id}
    records = dict(ConsentRecord.objects.filter(pk__in=numbers).values_list("pk", "uuid"))
    ids = dict(Profile.objects.filter(pk__in={row.profile_id for row in rows}).values_list("pk", "uuid"))
    return [
        {
            "id": str(row.uuid),
            "campaign_id": str(row.campaign.uuid),
            "campaign": row.campaign.name,
            "profile_id": str(ids[row.profile_id]) if row.profile_id in ids else None,
            "outcome": row.outcome,
            "reason": row.reason,
            "basis": row.basis,
            "consent_record_id": str(records[row.consent_record_id]) if row.consent_record_id in records else None,
            "smtp_code": row.smtp_code or None,
            "attempts": row.attempts,
            "decided_at": row.decided_at,
            "finished_at": row.finished_at,
        }
        for row in rows
    ]


DELIVERIES = ExportKind(
    label=_("Deliveries"),
    permission="campaigns.view_delivery",
    rows=delivery_rows,
    order=lambda: Order.of(Delivery, "campaign_id", key=("campaign_id", "profile_id", "occurrence")),
    describe=deliveries,
    columns=lambda _parts, _open_names: plain_columns(*FIELDS),
)
