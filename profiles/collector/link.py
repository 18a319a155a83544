"""The collector's connections to PostgreSQL: a database that is gone is noticed within seconds."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import make_conninfo

#: a server that vanished without a word: silence is probed after 2 s, and given up 3 s later
NETWORK = {
    "connect_timeout": 2,
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4_000,
}


def connect(dsn: str, *, name: str, statement_ms: int, lock_ms: int) -> psycopg.Connection[tuple[object, ...]]:
    """Open a connection in autocommit; `name` is shown in pg_stat_activity."""
    limits = f"-c statement_timeout={statement_ms} -c lock_timeout={lock_ms}"
    return psycopg.connect(make_conninfo(dsn, options=limits, application_name=name, **NETWORK), autocommit=True)


def is_lost(error: psycopg.Error) -> bool:
    """Tell whether trying again may help: the server did not answer, or its no was about the moment."""
    state = error.sqlstate
    # No state: the connection broke before an answer came. 08 and 57: connection, shutdown, time-out. 53: disk, memory.
    # 40 and 55: deadlock, lock. 25006: a standby that has not been promoted yet.
    return state is None or state.startswith(("08", "57", "53", "40", "55")) or state == "25006"
