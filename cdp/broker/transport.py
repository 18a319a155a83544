"""The broker that needs no server: kombu's `pgmq://` transport on our own PostgreSQL. It carries wake-ups only.

Ways round what this young transport lacks: queue names hold 47 characters, so remote control (which names a queue after
the host) is off; `pgmq.send_topic` lacks the form that kombu calls, so we add it; `channel` says what else.
"""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from pgmq.install import get_embedded_install_sql, get_embedded_sql_version

from cdp.processes.kinds import NAMES

logger = logging.getLogger(__name__)

#: the three-argument form that kombu calls: it hands on to the four-argument one
SEND_TOPIC = """
CREATE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, headers jsonb) RETURNS integer LANGUAGE sql AS
$$ SELECT pgmq.send_topic(routing_key, msg, headers, 0) $$
"""

#: Unlogged: no write-ahead log and no wait for the disk. A crash of the server empties it; beat wakes all again.
#: The table turns over all the time, so it is vacuumed after a few hundred dead rows, at full speed.
TUNE_QUEUE = """
ALTER TABLE {table} SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 100000
)
"""


def uses_pgmq() -> bool:
    """Tell whether wake-ups travel through our own PostgreSQL."""
    return str(settings.CELERY_BROKER_URL).startswith("pgmq:")


def install_broker(**_signal: Any) -> None:
    """Make the schema and a queue per kind of work after every migrate, when the broker is this PostgreSQL."""
    if not uses_pgmq() or connection.vendor != "postgresql":
        return
    version = f"klantbeeld {get_embedded_sql_version()}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('klantbeeld.broker'))")
        cursor.execute("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'pgmq'")
        row = cursor.fetchone()
        if row and not str(row[0] or "").startswith("klantbeeld "):
            logger.warning("the schema pgmq was made by somebody else; it is used as it is")
            return
        if not row or row[0] != version:
            cursor.execute("DROP SCHEMA IF EXISTS pgmq CASCADE")
            cursor.execute(get_embedded_install_sql())
            cursor.execute(SEND_TOPIC)
            cursor.execute(f"COMMENT ON SCHEMA pgmq IS '{version}'")
        for name in NAMES:
            cursor.execute("SELECT to_regclass(%s)", [f"pgmq.q_{name}"])
            if cursor.fetchone() == (None,):
                cursor.execute("SELECT pgmq.create_unlogged(%s)", [name])
                cursor.execute(TUNE_QUEUE.format(table=f"pgmq.q_{name}"))
