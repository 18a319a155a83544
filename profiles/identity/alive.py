"""Who is a person of today: neither merged into another nor erased. In Python it is `Profile.objects.alive()`."""

from __future__ import annotations


def alive(alias: str = "") -> str:
    """Return the condition for SQL; it is that of the partial indexes, which serve no statement without it."""
    prefix = f"{alias}." if alias else ""
    return f"{prefix}merged_into_id IS NULL AND {prefix}erased_at IS NULL"
