"""What campaigns hold of a person: to hand over, to erase, and to keep as proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from campaigns.models import Delivery, SendQueue
from campaigns.reasons import outcome_text
from profiles.models import Profile

#: personal data inside a decision; the decision itself stays, as figures and as proof
BLANK: dict[str, Any] = {"context": {}, "smtp_reply": "", "address_digest": ""}


def profile_ids_of(profile_id: int) -> list[int]:
    """Return a person's id and those of the people joined into this one: decisions stay where they were made."""
    found = {profile_id}
    edge = [profile_id]
    while edge:
        edge = [
            row for row in Profile.objects.filter(merged_into__in=edge).values_list("pk", flat=True) if row not in found
        ]
        found.update(edge)
    return sorted(found)


def collect(profile_id: int) -> dict[str, Any]:
    """Return every message decided upon for a person, with what it was filled in with."""
    rows = Delivery.objects.filter(profile_id__in=profile_ids_of(profile_id)).select_related(
        "campaign", "message_version"
    )
    return {
        "messages": [
            {
                "campaign": row.campaign.name,
                "subject": row.message_version.subject,
                "outcome": row.outcome,
                "reason": row.reason,
                "explanation": outcome_text(row.outcome, row.reason),
                "consent_record": row.consent_record_id,
                "decided_at": row.decided_at.isoformat(),
                "finished_at": row.finished_at.isoformat() if row.finished_at else None,
                "filled_in_with": row.context,
            }
            for row in rows.order_by("-decided_at")
        ]
    }


def erase(profile_id: int) -> dict[str, int]:
    """Stop what is waiting and blank what is personal; the decisions stay. Idempotent, in the caller's transaction."""
    ids = profile_ids_of(profile_id)
    waiting = SendQueue.objects.filter(profile_id__in=ids).exclude(phase="handing_over")
    stopped = list(
        waiting.select_for_update()
        .order_by("campaign_id", "profile_id", "occurrence")
        .values_list("campaign_id", "profile_id", "occurrence")
    )
    waiting.delete()
    for campaign_id, stopped_id, occurrence in stopped:
        rows = Delivery.objects.filter(campaign_id=campaign_id, profile_id=stopped_id, occurrence=occurrence)
        rows.filter(outcome="pending").update(outcome="skipped", reason="erased", finished_at=timezone.now())
    holding = Delivery.objects.filter(profile_id__in=ids).exclude(**BLANK)
    return {"campaigns_delivery": holding.update(**BLANK), "campaigns_sendqueue": len(stopped)}


def address_of_message(reference: str) -> str:
    """Return the keyed digest of the address that a message was sent to, or "".

    It is named as `delivery:<campaign>:<person>`, a single send as `send:<id>`.
    """
    kind, *numbers = reference.split(":")
    if kind == "send" and len(numbers) == 1 and (uuid := _uuid(numbers[0])) is not None:
        sent = Delivery.objects.filter(uuid=uuid, outcome="sent")
        return sent.values_list("address_digest", flat=True).first() or ""
    if kind != "delivery" or len(numbers) != 2 or not all(text.isdecimal() and len(text) < 19 for text in numbers):
        return ""
    sent = Delivery.objects.filter(campaign_id=int(numbers[0]), profile_id=int(numbers[1]), outcome="sent")
    return sent.values_list("address_digest", flat=True).first() or ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def keep_people(profile_ids: Sequence[int], _cause: str) -> set[int]:
    """Return the people of whom a decision to send stands: an undone import may not take its subject away."""
    return set(Delivery.objects.filter(profile_id__in=profile_ids).values_list("profile_id", flat=True))
