"""The home page's figure of a permission: how many people allow the first marketing purpose, and its last 30 days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from consent.models import Channel, ConsentRecord, ConsentState, Purpose
from consent.policy.states import GIVEN, WITHDRAWN

DAYS = 30
KEEP_SECONDS = 300


def agreed_card(_request: HttpRequest) -> dict[str, Any] | None:
    """Return the figure; None while there is no marketing purpose that mails."""
    purpose = (
        Purpose.objects.filter(active=True, is_marketing=True, channels__contains=[Channel.EMAIL])
        .order_by("id")
        .first()
    )
    if purpose is None:
        return None
    found = cache.get_or_set(f"consent.agreed.{purpose.pk}", lambda: _measure(purpose), KEEP_SECONDS)
    assert found is not None
    value, points = found
    return {"label": _("Agreed to %(purpose)s") % {"purpose": purpose.name}, "value": value, "points": points}


def _measure(purpose: Purpose) -> tuple[int, list[int]]:
    """Return how many agree now, and how many did at the end of each of the last days, counted back by the ledger."""
    now = ConsentState.objects.filter(purpose=purpose, channel=Channel.EMAIL, state=GIVEN).count()
    today = timezone.localdate()
    since = timezone.now() - timedelta(days=DAYS)
    rows = (
        ConsentRecord.objects.filter(recorded_at__gte=since, purpose=purpose, channel=Channel.EMAIL)
        .annotate(day=TruncDate("recorded_at"))
        .values("day")
        .annotate(came=Count("pk", filter=Q(state=GIVEN)), went=Count("pk", filter=Q(state=WITHDRAWN)))
    )
    moved = {row["day"]: row["came"] - row["went"] for row in rows}
    points, level = [], now
    for back in range(DAYS):
        points.append(max(level, 0))
        level -= moved.get(today - timedelta(days=back), 0)
    return now, points[::-1]
