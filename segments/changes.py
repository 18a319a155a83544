"""What segments do when people change."""

from __future__ import annotations

from django.utils import timezone

from profiles.changes import Change
from segments import touched
from segments.list_members import follow

#: after these some people may be no more
_PEOPLE_GO = frozenset({"undo", "retention"})


def touch(change: Change) -> None:
    """Carry lists over to whoever people are now, and put everybody that changed into the queue."""
    if change.moved or change.cause in _PEOPLE_GO:
        moved = {id for move in change.moved for id in (move.from_profile_id, move.to_profile_id)}
        cause = "undo" if change.cause == "undo" else "merge"
        follow(moved | (change.profile_ids if change.cause in _PEOPLE_GO else set()), cause=cause, now=timezone.now())
    if change.profile_ids:
        touched.touch(sorted(change.profile_ids))
