"""What /readyz and the health page tell: is each part at work, and how much waits."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from cdp.common.queues import queues as protocol
from cdp.common.registry import queues
from cdp.health.heartbeats import SKEW_ALLOWED, clock_skew, heartbeat_ages, is_fresh

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Queue:
    """A queue as measured; `depth` is None when it could not be."""

    name: str
    depth: int | None
    oldest_seconds: float | None


@dataclass(frozen=True)
class State:
    """How it goes. `down` names what is not at work: database, disk, worker:<kind>, beat, queue:<name>.

    `warnings` names what goes wrong later: clock.
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
                queue.name: {"depth": queue.depth, "oldest_seconds": queue.oldest_seconds} for queue in self.queues
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
    measured = [_measure(name, queue.measure) for name, queue in queues.items()]
    measured += [_measure(name, queue.measure) for name, queue in protocol.items()]
    down = full + [name for name, age in ages.items() if not is_fresh(age)]
    down += [f"queue:{queue.name}" for queue in measured if queue.depth is None]
    warnings = ["clock"] if abs(clock_skew()) > SKEW_ALLOWED else []
    return State(heartbeats=ages, queues=measured, down=down, warnings=warnings)


def disk_is_full() -> bool:
    """Tell whether the disk of VAR_DIR has less room than the collector wants, which then answers 503."""
    try:
        return shutil.disk_usage(settings.VAR_DIR).free < settings.COLLECT_MIN_FREE_MB * 2**20
    except OSError:
        return True


def _measure(name: str, measure: Any) -> Queue:
    try:
        with transaction.atomic():
            depth, oldest = measure()
    except DatabaseError:
        logger.exception("queue %s cannot be measured", name)
        return Queue(name, None, None)
    return Queue(name, depth, None if oldest is None else round(float(oldest), 1))
