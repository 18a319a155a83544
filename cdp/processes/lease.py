"""A lease: one process at a time has it, and loses it by silence alone. Times are the database's.

A lock of a session is not enough: a process that hangs keeps its session, and nobody takes over.
"""

from __future__ import annotations

import os
import secrets
import socket
import time

from django.db import connection

BEAT_LEASE = "beat"
#: a holder that has not renewed for so long has lost it
LEASE_SECONDS = 30.0
RENEW_SECONDS = 10.0
#: a clock that goes on while the machine sleeps, where there is one: the database's goes on too
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_TAKE = """
INSERT INTO common_processlease AS lease (name, holder, fence, since, until)
VALUES (%(name)s, %(holder)s, 1, clock_timestamp(), clock_timestamp() + %(seconds)s * interval '1 second')
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder,
    fence = lease.fence + CASE WHEN lease.holder = excluded.holder THEN 0 ELSE 1 END,
    since = CASE WHEN lease.holder = excluded.holder THEN lease.since ELSE excluded.since END,
    until = excluded.until
WHERE lease.holder = excluded.holder OR lease.until < clock_timestamp()
RETURNING fence
"""


class Lease:
    """One process's side of a lease."""

    def __init__(self, name: str, *, seconds: float = LEASE_SECONDS) -> None:
        self.name = name
        self.seconds = seconds
        self.holder = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        #: rises with every change of holder
        self.fence = 0
        self._until = float("-inf")
        self._asked = float("-inf")

    def hold(self) -> bool:
        """Take or renew it when that is due; tell whether this process has it."""
        asked = _now()
        if not self.holds() or asked - self._asked >= RENEW_SECONDS:
            self._asked = asked
            with connection.cursor() as cursor:
                cursor.execute(_TAKE, {"name": self.name, "holder": self.holder, "seconds": self.seconds})
                row = cursor.fetchone()
            # Counted from before the question: the database's own deadline is never earlier than ours.
            self._until = asked + self.seconds if row else float("-inf")
            self.fence = int(row[0]) if row else self.fence
        return self.holds()

    def holds(self) -> bool:
        """Tell whether it is surely still ours, without asking: true for less time than the database believes it."""
        return _now() < self._until

    def release(self) -> None:
        """Give it back, so that another takes over at once."""
        self._until = float("-inf")
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE common_processlease SET until = clock_timestamp() WHERE name = %s AND holder = %s",
                [self.name, self.holder],
            )


def _now() -> float:
    return time.clock_gettime(_CLOCK)


def held_for(name: str) -> float | None:
    """Return for how many seconds its holder has had the lease; None when nobody has it now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM clock_timestamp() - since) FROM common_processlease"
            " WHERE name = %s AND until > clock_timestamp()",
            [name],
        )
        row = cursor.fetchone()
    return float(row[0]) if row else None
