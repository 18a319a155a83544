"""The home page's figure of a permission: how many people allow the first marketing purpose, and its last 30 days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count as CountOf
from django.db.models import Q
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.counting import Count, capped_count, estimated_count
from consent.models import Channel, ConsentRecord, ConsentState, Purpose
from consent.policy.states import GIVEN, WITHDRAWN

DAYS = 30
KEEP_SECONDS = 300
#: records of the days that the line is counted from; with more there is no line
MOST_RECORDS = 100_000


def agreed_card(_request: HttpRequest) -> dict[str, Any] | None:
    """Return the figure; None while there is no marketing purpose that mails."""
    purpose = (
        Purpose.objects.filter(active=True, is_marketing=True, channels__contains=[Channel.EMAIL])
        .order_by("id")
        .first()
    )
    if purpose is None:
        return None
    key = f"consent.agreed.{purpose.pk}.{timezone.get_current_timezone_name()}"  # the days are the reader's
    found = cache.get_or_set(key, lambda: _measure(purpose), KEEP_SECONDS)
    assert found is not None
    count, points = found
    return {
        "label": _("Agreed to %(purpose)s") % {"purpose": purpose.name},
        "value": count.value,
        "points": points,
        "detail": _("about, by the database's statistics") if count.about else "",
    }


def _measure(purpose: Purpose) -> tuple[Count, list[int]]:
    """Return how many agree now, and how many did at the end of each of the last days, counted back by the ledger.

    The line is empty when it would read too many records.
    """
    now = estimated_count(ConsentState.objects.filter(purpose=purpose, channel=Channel.EMAIL, state=GIVEN))
    today = timezone.localdate()
    since = timezone.now() - timedelta(days=DAYS)
    records = ConsentRecord.objects.filter(recorded_at__gte=since)
    if now.about or capped_count(records, MOST_RECORDS) > MOST_RECORDS:
        return now, []
    rows = (
        records.filter(purpose=purpose, channel=Channel.EMAIL)
        .annotate(day=TruncDate("recorded_at"))
        .values("day")
        .annotate(came=CountOf("pk", filter=Q(state=GIVEN)), went=CountOf("pk", filter=Q(state=WITHDRAWN)))
    )
    moved = {row["day"]: row["came"] - row["went"] for row in rows}
    points, level = [], now.value
    for back in range(DAYS):
        points.append(max(level, 0))
        level -= moved.get(today - timedelta(days=back), 0)
    return now, points[::-1]
