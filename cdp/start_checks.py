"""What must be right before a process of ours begins to work."""

from __future__ import annotations

from django.db import DatabaseError

from cdp.common.registry import start_checks


def troubles_at_start() -> list[str]:
    """Return why no process may start, a line each. A database that is away, or not made yet, is waited for."""
    try:
        return [problem for check in start_checks if (problem := check())]
    except DatabaseError:
        return []
