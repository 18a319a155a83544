"""Who is a person of today, and whose data may be used; in SQL."""

from __future__ import annotations


def alive(alias: str = "") -> str:
    """Return the condition that a profile is neither merged into another nor erased.

    It is that of the partial indexes, which serve no statement without it. In Python: `Profile.objects.alive()`.
    """
    prefix = f"{alias}." if alias else ""
    return f"{prefix}merged_into_id IS NULL AND {prefix}erased_at IS NULL"


def usable(alias: str = "") -> str:
    """Return the condition that a person's data may be used: alive, and not restricted (GDPR art. 18)."""
    prefix = f"{alias}." if alias else ""
    return f"{alive(alias)} AND {prefix}restricted_at IS NULL"


def last_seen(alias: str = "") -> str:
    """Return the time to sort and select people by who were seen last; long ago for those who were never seen.

    It is the expression of an index: `profiles.models.profile.last_seen_key`.
    """
    prefix = f"{alias}." if alias else ""
    return f"coalesce({prefix}last_seen_at, timestamptz '1970-01-01 00:00:00+00')"
