"""Write a result down although the database is away for a moment: what the mail server took must not be forgotten."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connection

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: a restart of PostgreSQL takes seconds; after this the result is given up, and the message becomes `unknown`
RETRY_SECONDS = 30.0
#: psycopg's own errors too: the statement of each message bypasses Django's cursor
LOST = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


def connection_lost(error: BaseException) -> bool:
    """Tell whether an error means that the database went away, and not that it refused a statement."""
    if not isinstance(error, LOST):
        return False
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    state = getattr(cause, "sqlstate", None)
    # Class 57P: shut down, crashed, starting up. No state: the connection broke before an answer came.
    return state is None or state.startswith(("08", "57P"))


def until_written(write: Callable[[], T], *, seconds: float = RETRY_SECONDS) -> T:
    """Return what `write` returns, trying again over new connections; it must be safe to run twice."""
    end = time.monotonic() + seconds
    pause = 0.1
    while True:
        try:
            return write()
        except LOST as error:
            connection.close()
            if not connection_lost(error) or time.monotonic() + pause > end:
                raise
            logger.warning("the database is away; the result of a message is kept and written later")
        time.sleep(pause)
        pause = min(pause * 2, 2.0)
