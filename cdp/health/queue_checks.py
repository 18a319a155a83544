"""The checks of queues: is anything late, was anything given up."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cdp.common.registry import HealthCheck, health_checks
from cdp.health.state import read_queues


def late_queues() -> tuple[bool, str, str]:
    """Tell whether something waits for longer than it may."""
    late = [queue for queue in read_queues() if queue.late or queue.depth is None]
    if not late:
        return True, _("nothing waits for long"), ""
    found = "; ".join(
        _("%(queue)s: the oldest for %(seconds)s s")
        % {"queue": queue.label, "seconds": round(queue.oldest_seconds or 0)}
        for queue in late
    )
    return (
        False,
        found,
        _("Look at the log of its worker. If the worker is busy, give this kind of work more processes."),
    )


def dead_letters() -> tuple[bool, str, str]:
    """Tell whether a queue gave something up."""
    dead = [queue for queue in read_queues() if queue.dead_letters]
    if not dead:
        return True, _("nothing was given up"), ""
    found = "; ".join(f"{queue.label}: {queue.dead_letters}" for queue in dead)
    return False, found, _("Open System, Health, Dead letters: remove the cause, then retry or discard them.")


def register() -> None:
    """Add the checks."""
    health_checks.add("queues", HealthCheck(label=gettext_lazy("Queues"), run=late_queues))
    health_checks.add("dead_letters", HealthCheck(label=gettext_lazy("Dead letters"), run=dead_letters, critical=False))
