"""What segments show elsewhere: on a person's page and timeline, on the home page, in the search box, in health."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers

from cdp.common.registry import TimelineEntry
from profiles.models import Profile
from segments.models import Membership, MembershipChange, Segment, Status

SHOWN = 6
#: rows of history looked at for a segment; more movement than this is shown as this much
MOST_CHANGES = 100_000


def movements(segment_ids: list[int], *, hours: int = 24) -> dict[int, tuple[int, int]]:
    """Return (entered, left) of the last hours by segment."""
    since = timezone.now() - timedelta(hours=hours)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.id, c.entered, c.gone FROM unnest(%s::bigint[]) AS s (id), LATERAL ("
            "SELECT count(*) FILTER (WHERE r.entered) AS entered, count(*) FILTER (WHERE NOT r.entered) AS gone FROM ("
            "SELECT entered FROM segments_membershipchange WHERE segment_id = s.id AND at >= %s LIMIT %s) r) c",
            [segment_ids, since, MOST_CHANGES],
        )
        return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}


def moved_card(_request: HttpRequest) -> dict[str, Any] | None:
    """Return the segments that moved most in 24 hours; None without segments."""
    rows = {row.pk: row for row in Segment.objects.exclude(status=Status.ARCHIVED)[:500]}
    if not rows:
        return None
    moved = movements(list(rows))
    ranked = sorted(moved.items(), key=lambda item: (-(item[1][0] + item[1][1]), item[0]))[:SHOWN]
    return {
        "moved_segments": [
            {"segment": rows[key], "entered": entered, "left": left}
            for key, (entered, left) in ranked
            if entered + left
        ],
        "broken_segments": [row for row in rows.values() if row.status == Status.BROKEN],
    }


def broken_check() -> tuple[bool, str, str]:
    """Tell whether any segment is broken."""
    names = list(Segment.objects.filter(status=Status.BROKEN).values_list("name", flat=True)[:20])
    if names:
        return False, _("Broken: %(names)s") % {"names": ", ".join(names)}, _("Open each segment and correct its rule.")
    return True, _("No segment is broken."), ""


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


class SegmentOfPerson(serializers.Serializer[Membership]):
    """A segment that a person is in, in the person's answer of the API."""

    id = serializers.CharField(read_only=True, help_text="As in `/segments/{id}/`.")
    name = serializers.CharField(read_only=True)
    entered_at = serializers.DateTimeField(read_only=True)


def segments_of(profile_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the segments of people, by person; archived ones have no members."""
    found: dict[int, list[dict[str, Any]]] = {}
    rows = Membership.objects.filter(profile_id__in=profile_ids).exclude(segment__status=Status.ARCHIVED)
    for profile_id, slug, name, since in rows.order_by("profile_id", "segment__slug").values_list(
        "profile_id", "segment__slug", "segment__name", "since"
    ):
        found.setdefault(profile_id, []).append({"id": slug, "name": name, "entered_at": since})
    return found
