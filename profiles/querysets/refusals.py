"""How refused requests are read: what is set up wrong, and where."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from profiles.models import RefusedRequest, Source

#: rows on a page; what is heard of rarely comes last
SHOWN = 50
#: from here on it is no slip of somebody who is still setting up: a person should look
MANY = 100
LASTING = timedelta(hours=1)
STILL = timedelta(hours=1)


def refusals() -> QuerySet[RefusedRequest]:
    """Return what was refused, the last heard of first, and of each code the many others at the end."""
    rows = RefusedRequest.objects.select_related("source").alias(others=Q(path=""))
    return rows.order_by("others", "-last_at", "-id")


def refusals_of(source: Source) -> QuerySet[RefusedRequest]:
    """Return what was refused of a source's key, and pages that no source lists: their key is not known."""
    return refusals().filter(Q(source=source) | Q(source=None, code="origin_not_allowed"))


def lasting_refusals() -> QuerySet[RefusedRequest]:
    """Return what goes on: many requests, for a while, and still."""
    return refusals().filter(
        ~Q(path=""), count__gte=MANY, last_at__gt=timezone.now() - STILL, last_at__gte=F("first_at") + LASTING
    )
