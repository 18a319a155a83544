"""Signs of life of the workers and of beat, in a table: a process may be there and yet do nothing.

All times are the database's: clocks of machines differ.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import F, Func
from django.db.models.functions import Extract, Now

from cdp.common.models import Heartbeat
from cdp.processes.kinds import NAMES

BEAT = "beat"
#: the heartbeat of a kind of work is named after it
WORKER_PREFIX = "worker:"
EXPECTED = (*(WORKER_PREFIX + name for name in NAMES), BEAT)
HEARTBEAT_SECONDS = 10.0
#: three heartbeats must be missed
STALE_SECONDS = 30.0
#: seconds that the clocks of the application and of the database may be apart
SKEW_ALLOWED = 2.0


def record_heartbeat(name: str, detail: Mapping[str, Any] | None = None) -> float:
    """Write that the process `name` is at work now; return how far (seconds) the database's clock is ahead of ours."""
    told = {"host": socket.gethostname(), "pid": os.getpid(), **(detail or {})}
    before = time.time()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO common_heartbeat (name, at, detail) VALUES (%s, clock_timestamp(), %s)"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at, detail = excluded.detail"
            " RETURNING extract(epoch FROM at)",
            [name, json.dumps(told)],
        )
        row = cursor.fetchone()
    return float(row[0]) - (before + time.time()) / 2


def clock_skew() -> float:
    """Return how far (seconds) the database's clock is ahead of this machine's."""
    before = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        row = cursor.fetchone()
    return float(row[0]) - (before + time.time()) / 2


def heartbeat_ages() -> dict[str, float | None]:
    """Return the seconds since the last sign of each kind of worker and of beat; None when there never was one."""
    age = Extract(Func(Now() - F("at"), function=""), "epoch")
    found = dict(Heartbeat.objects.filter(name__in=EXPECTED).values_list("name").annotate(age=age))
    return {name: round(max(0.0, float(found[name])), 1) if name in found else None for name in EXPECTED}


def is_fresh(age: float | None) -> bool:
    """Tell whether a sign of that age says that the process works."""
    return age is not None and age <= STALE_SECONDS
