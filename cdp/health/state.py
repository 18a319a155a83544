"""What /readyz and the health page tell: is each part at work, and how much waits."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count
from django.utils.functional import Promise

from cdp.common import queues as queues_module
from cdp.common.models import DeadLetter
from cdp.common.queues import queues
from cdp.health.heartbeats import SKEW_ALLOWED, clock_skew, heartbeat_ages, is_fresh

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Queue:
    """A queue as measured; `depth` is None when it could not be."""

    name: str
    label: Promise
    depth: int | None
    oldest_seconds: float | None
    late_seconds: float  # it is late when the oldest is older
    dead_letters: int

    @property
    def late(self) -> bool:
        """Tell whether something waits for longer than it may."""
        return self.oldest_seconds is not None and self.oldest_seconds > self.late_seconds


@dataclass(frozen=True)
class State:
    """How it goes. `down` names what is not at work: database, disk, worker:<kind>, beat, queue:<name>.

    A queue is at work when nothing in it waits for too long, whatever the processes say. `warnings` names what goes
    wrong later, or was given up: clock, dead_letters:<queue>.
    """

    heartbeats: dict[str, float | None]
    queues: list[Queue]
    down: list[str]
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the body of /readyz."""
        return {
            "status": "down" if self.down else "ok",
            "down": self.down,
            "warnings": self.warnings,
            "heartbeats": {name: {"age_seconds": age} for name, age in self.heartbeats.items()},
            "queues": {
                queue.name: {
                    "depth": queue.depth,
                    "oldest_seconds": queue.oldest_seconds,
                    "late_after_seconds": queue.late_seconds,
                    "dead_letters": queue.dead_letters,
                }
                for queue in self.queues
            },
        }


def database_answers() -> bool:
    """Tell whether a statement goes through."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone())
    except DatabaseError:
        return False


def read_state() -> State:
    """Measure everything; what cannot be measured counts as down."""
    full = ["disk"] if disk_is_full() else []
    if not database_answers():
        return State(heartbeats={}, queues=[], down=["database", *full])
    try:
        ages = heartbeat_ages()
    except DatabaseError:
        logger.exception("heartbeats cannot be read; is the database migrated?")
        return State(heartbeats={}, queues=[], down=["migrations"])
    measured = read_queues()
    down = full + [name for name, age in ages.items() if not is_fresh(age)]
    down += [f"queue:{queue.name}" for queue in measured if queue.depth is None or queue.late]
    warnings = ["clock"] if abs(clock_skew()) > SKEW_ALLOWED else []
    warnings += [f"dead_letters:{queue.name}" for queue in measured if queue.dead_letters]
    return State(heartbeats=ages, queues=measured, down=down, warnings=warnings)


def read_queues() -> list[Queue]:
    """Measure every queue."""
    counted = DeadLetter.objects.values("queue").annotate(count=Count("pk")).values_list("queue", "count")
    dead = dict(counted.order_by())
    return [_measure(queue, dead.get(queue.name, 0)) for queue in queues]


def disk_is_full() -> bool:
    """Tell whether the disk of VAR_DIR has less room than the collector wants, which then answers 503."""
    try:
        return shutil.disk_usage(settings.VAR_DIR).free < settings.COLLECT_MIN_FREE_MB * 2**20
    except OSError:
        return True


def _measure(queue: queues_module.Queue, dead_letters: int) -> Queue:
    measured = partial(Queue, queue.name, queue.label, late_seconds=queue.late_seconds, dead_letters=dead_letters)
    try:
        with transaction.atomic():
            depth, oldest = queue.measure()
    except DatabaseError:
        logger.exception("queue %s cannot be measured", queue.name)
        return measured(depth=None, oldest_seconds=None)
    return measured(depth=depth, oldest_seconds=None if oldest is None else round(max(0.0, float(oldest)), 1))
