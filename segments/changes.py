"""What segments do when people change."""

from __future__ import annotations

from profiles.changes import Change
from segments import touched


def touch(change: Change) -> None:
    """Put everybody that changed into the queue."""
    if change.profile_ids:
        touched.touch(sorted(change.profile_ids))
