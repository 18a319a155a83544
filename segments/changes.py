"""What segments do when people change, and what they hold of a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from cdp.common.models import DeadLetter
from cdp.common.registry import TimelineEntry
from profiles.changes import Change
from profiles.models import Profile
from segments import touched
from segments.models import (
    Membership,
    MembershipChange,
    Segment,
    Status,
    TouchedProfile,
)


def touch(change: Change) -> None:
    """Put everybody that changed into the queue."""
    if change.profile_ids:
        touched.touch(sorted(change.profile_ids))


def collect(profile_id: int) -> dict[str, Any]:
    """Return the segments a person is in, and came into and left, for an access request."""
    members = Membership.objects.filter(profile_id=profile_id).select_related("segment")
    changes = MembershipChange.objects.filter(profile_id=profile_id).select_related("segment").order_by("at")
    return {
        "segments": [{"segment": row.segment.name, "since": row.since.isoformat()} for row in members],
        "segment_history": [
            {"segment": row.segment.name, "entered": row.entered, "at": row.at.isoformat()} for row in changes
        ],
    }


def erase(profile_id: int) -> dict[str, int]:
    """Remove a person from all segments and their history."""
    segments = list(Membership.objects.filter(profile_id=profile_id).values_list("segment_id", flat=True))
    gone = Membership.objects.filter(profile_id=profile_id).delete()[0]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE segments_segment SET member_count = greatest(member_count - 1, 0) WHERE id = ANY (%s)", [segments]
        )
    return {
        "segments_membership": gone,
        "segments_membershipchange": MembershipChange.objects.filter(profile_id=profile_id).delete()[0],
        "segments_touched": TouchedProfile.objects.filter(profile_id=profile_id).delete()[0],
        "common_deadletter": DeadLetter.objects.filter(queue=touched.NAME, key=str(profile_id)).delete()[0],
    }


def timeline(profile_id: int, before: datetime | None, limit: int, kinds: set[str] | None) -> list[TimelineEntry]:
    """Return what segments a person came into and left."""
    if kinds is not None and "change" not in kinds:
        return []
    rows = MembershipChange.objects.filter(profile_id=profile_id).select_related("segment")
    if before is not None:
        rows = rows.filter(at__lt=before)
    return [
        TimelineEntry(
            at=row.at,
            kind="change",
            title=(_("Entered segment %(name)s") if row.entered else _("Left segment %(name)s"))
            % {"name": row.segment.name},
            chip=_("segment"),
            url=row.segment.get_absolute_url(),
        )
        for row in rows.order_by("-at", "-id")[:limit]
    ]


def panel(request: HttpRequest, profile: Profile) -> dict[str, Any]:
    """Return the segments of a person for the 360 page."""
    rows = (
        Membership.objects.filter(profile_id=profile.pk)
        .exclude(segment__status=Status.ARCHIVED)
        .select_related("segment")
        .order_by("-since")[:30]
    )
    return {"segment_memberships": list(rows), "segment_profile": profile}


def search(user: Any, text: str, limit: int) -> list[dict[str, str]]:
    """Return segments by name for the search box."""
    if not user.has_perm("segments.view_segment"):
        return []
    rows = Segment.objects.exclude(status=Status.ARCHIVED).filter(name__icontains=text).order_by("name")[:limit]
    return [
        {
            "label": row.name,
            "detail": _("%(count)s people") % {"count": row.member_count},
            "url": reverse("segments:detail", args=[row.slug]),
            "kind": _("segment"),
        }
        for row in rows
    ]
