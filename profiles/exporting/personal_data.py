"""What exports hold of a person: nobody can tell who is in a compressed file, so an erasure deletes them all."""

from __future__ import annotations

from typing import Any

from profiles.exporting.jobs import forget_files


def collect(_profile_id: int) -> dict[str, Any]:
    """Return nothing: a file is a copy of what others hand over."""
    return {}


def erase(_profile_id: int) -> dict[str, int]:
    """Delete every finished file; those being written are begun anew."""
    return {"profiles_export": forget_files(code="export.person_erased")}
