"""Drains, woken on commit and by beat."""

from __future__ import annotations

from celery import shared_task

from segments import membership


@shared_task(name="segments.process_touched")
def process_touched() -> None:
    """Look again at all people that changed."""
    membership.process_touched()


@shared_task(name="segments.sweep")
def sweep() -> None:
    """Follow what changes by time alone."""
    membership.refresh_new()
    membership.sweep()


@shared_task(name="segments.refresh")
def refresh() -> None:
    """Make the members of segments whose rule is new."""
    membership.refresh_new()


@shared_task(name="segments.refresh_all")
def refresh_all() -> None:
    """Refresh every segment over everybody: nightly, to try broken ones again."""
    membership.refresh_all()
