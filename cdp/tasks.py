"""The project's own task: beat sends it, a worker writes that it came through. It proves the whole way."""

from __future__ import annotations

from celery import shared_task

from cdp.health.heartbeats import WORKER, beat_once


@shared_task(name="cdp.heartbeat")
def heartbeat() -> None:
    """Write the worker's sign of life."""
    beat_once(WORKER)
