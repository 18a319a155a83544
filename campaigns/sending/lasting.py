"""Write a result down although the database is away for a moment: what the mail server took must not be forgotten."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

from cdp.common.faults import LOST, Fault, fault_of

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: a restart of PostgreSQL takes seconds; after this the result is given up, and the message becomes `unknown`
RETRY_SECONDS = 30.0


def until_written(write: Callable[[], T], *, seconds: float = RETRY_SECONDS) -> T:
    """Return what `write` returns, trying again over new connections; it must be safe to run twice."""
    end = time.monotonic() + seconds
    pause = 0.1
    while True:
        try:
            return write()
        except LOST as error:
            fault = fault_of(error)
            connection.close()
            if fault is not Fault.SERVER or time.monotonic() + pause > end:
                raise
            logger.warning("the database is away; the result of a message is kept and written later")
        time.sleep(pause)
        pause = min(pause * 2, 2.0)
