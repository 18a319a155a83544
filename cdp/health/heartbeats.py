"""Signs of life of worker and beat, in a table: a process may be there and yet do nothing."""

from __future__ import annotations

import os
import socket

from django.db.models import F, Func
from django.db.models.functions import Extract, Now

from cdp.common.models import Heartbeat

WORKER, BEAT = "worker", "beat"
#: a drain may hold every slot of a worker for 50 seconds, so a sign may come late
STALE_SECONDS = 90.0


def beat_once(name: str) -> None:
    """Write that the process `name` is alive now, by the clock of the database: those of machines differ."""
    detail = {"host": socket.gethostname(), "pid": os.getpid()}
    Heartbeat.objects.update_or_create(name=name, defaults={"at": Now(), "detail": detail})


def heartbeat_ages() -> dict[str, float | None]:
    """Return the seconds since the last sign of worker and beat; None when there never was one."""
    age = Extract(Func(Now() - F("at"), function=""), "epoch")
    found = dict(Heartbeat.objects.filter(name__in=[WORKER, BEAT]).values_list("name").annotate(age=age))
    return {name: round(max(0.0, float(found[name])), 1) if name in found else None for name in (WORKER, BEAT)}


def is_fresh(age: float | None) -> bool:
    """Tell whether a sign of that age says that the process works."""
    return age is not None and age <= STALE_SECONDS
