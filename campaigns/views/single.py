"""The card of a message about single sends: how a program asks for one, what went lately, what stands in the way."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from campaigns.models import Campaign, CampaignKind, Delivery, Message
from campaigns.models.delivery import Outcome
from campaigns.reasons import outcome_text
from campaigns.sending.context import template_of
from campaigns.services.testing import sample_data
from campaigns.views.common import TONES
from cdp.common.access import record_look
from cdp.common.api_answers import API_BASE
from cdp.common.counting import COUNT_CAP
from consent.models import Purpose
from profiles.models import Profile

RECENT = 10


def single_card(request: HttpRequest, message: Message) -> dict[str, Any]:
    """Return what the card shows of a message."""
    shared = list(Campaign.objects.filter(kind=CampaignKind.SINGLE, message=message).select_related("purpose"))
    shown = recent(shared) if request.user.has_perm("campaigns.view_delivery") else []
    record_look(request, "message.sends_viewed", [row["person"] for row in shown])
    return {
        "since": message.single_sends_since,
        "by": message.single_sends_by,
        "example": example(message),
        "recent": shown,
        "counts": counts(shared),
        "paused": [row.pause_label for row in shared if row.status == "paused"],
        "stop": {"action": "stop"},
    }


def example(message: Message) -> str:
    """Return a call that can be pasted, filled in for this message."""
    data = sample_data(template_of(message.current_version)) if message.current_version else {}
    purposes = Purpose.objects.filter(active=True, channels__contains=["email"]).order_by("is_marketing", "name")
    purpose = purposes.values_list("slug", flat=True).first() or "orders"
    body = {
        "profile_id": "email:anna@example.org",
        "message_id": str(message.uuid),
        "purpose_id": purpose,
        "data": data,
        "idempotency_key": "order-1042",
    }
    text = json.dumps(body, indent=2, ensure_ascii=True).replace("'", "\\u0027")
    return (
        f"curl -X POST {str(settings.SITE_URL).rstrip('/')}{API_BASE}sends/ \\\n"
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{text}'"
    )


def counts(shared: list[Campaign]) -> dict[str, Any]:
    """Return how many of each outcome there were in 24 hours, counted among the newest COUNT_CAP of a purpose."""
    since = timezone.now() - timedelta(hours=24)
    found: Counter[str] = Counter()
    capped = False
    for campaign in shared:
        own = Delivery.objects.filter(campaign=campaign, decided_at__gte=since).exclude(occurrence="")
        outcomes = list(own.order_by("-decided_at").values_list("outcome", flat=True)[: COUNT_CAP + 1])
        capped |= len(outcomes) > COUNT_CAP
        found.update(outcomes[:COUNT_CAP])
    lines = [(outcome, str(word), found[outcome]) for outcome, word in Outcome.choices if outcome in found]
    return {"lines": lines, "capped": capped}


def recent(shared: list[Campaign]) -> list[dict[str, Any]]:
    """Return the last sends, newest first, with their people and reasons."""
    rows: list[Delivery] = []
    for campaign in shared:
        own = Delivery.objects.filter(campaign=campaign).exclude(occurrence="").select_related("campaign__purpose")
        rows += own.order_by("-decided_at")[:RECENT]
    rows = sorted(rows, key=lambda row: row.decided_at, reverse=True)[:RECENT]
    people = Profile.objects.only("uuid", "display_name").in_bulk([row.profile_id for row in rows])
    return [
        {
            "row": row,
            "person": people.get(row.profile_id),
            "words": outcome_text(row.outcome, row.reason),
            "tone": TONES[row.outcome],
        }
        for row in rows
    ]
