"""What segments hold of a person: to hand over, and to erase."""

from __future__ import annotations

from typing import Any

from django.db import connection

from cdp.common.models import DeadLetter
from profiles.models import Profile
from segments import touched
from segments.list_members import forget
from segments.models import Membership, MembershipChange, TouchedProfile


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
    people = [profile_id, *Profile.objects.filter(merged_into_id=profile_id).values_list("pk", flat=True)]
    entries = forget(people)
    segments = list(Membership.objects.filter(profile_id=profile_id).values_list("segment_id", flat=True))
    gone = Membership.objects.filter(profile_id=profile_id).delete()[0]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE segments_segment SET member_count = greatest(member_count - 1, 0) WHERE id = ANY (%s)", [segments]
        )
    return {
        "segments_membership": gone,
        "segments_listentry": entries,
        "segments_membershipchange": MembershipChange.objects.filter(profile_id__in=people).delete()[0],
        "segments_touched": TouchedProfile.objects.filter(profile_id=profile_id).delete()[0],
        "common_deadletter": DeadLetter.objects.filter(queue=touched.NAME, key=str(profile_id)).delete()[0],
    }
