"""How Celery reaches its broker. Read by the settings, so nothing of Django here."""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import make_conninfo

from cdp.processes.kinds import VISIBILITY_SECONDS

#: a database that does not answer is noticed within half a minute, not when the system gives up after hours
IMPATIENT = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


def transport_options(url: str, database: dict[str, Any]) -> dict[str, Any]:
    """Return Celery's `broker_transport_options` for a broker URL.

    `pgmq://` alone means the database of Django; a full `pgmq://user:password@host:port/name` names another one.
    """
    if url.startswith("redis"):
        # A task that a killed worker held comes back after the timeout; look for such tasks often.
        return {
            "visibility_timeout": VISIBILITY_SECONDS,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
        }
    if not url.startswith("pgmq"):
        return {}
    options: dict[str, Any] = {
        "init_extension": False,
        "visibility_timeout": VISIBILITY_SECONDS,
        # One look at the queue lasts a second and polls inside the server; a longer one would hold back vacuum.
        "wait_time_seconds": 1,
        "poll_interval_ms": 50,
        "polling_interval": 0.02,
        "pool_size": 4,
        "pool_timeout": 5,
    }
    if url.removeprefix("pgmq:").strip("/") == "":
        options["conn_string"] = connection_string(database)
    return options


def connection_string(database: dict[str, Any]) -> str:
    """Return Django's database settings as libpq writes them."""
    parts = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    given = {ours: str(database[theirs]) for ours, theirs in parts.items() if database.get(theirs)}
    return make_conninfo("", application_name="klantbeeld-broker", tcp_user_timeout=30_000, **IMPATIENT, **given)
