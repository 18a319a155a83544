"""Whose fault an error is, how to say it without personal data, and how to bound the time of one item."""

from __future__ import annotations

import enum
import random
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")

#: SQLSTATE (or its class) -> whose fault. Errors that the driver gives no state for are of the connection.
_RACES = {"40001", "40P01", "55P03"}
_SERVER = {"25006", "53100", "53300", "53400", "57P01", "57P02", "57P03", "57P04", "57P05"}
_SERVER_CLASSES = {"08", "28", "3D", "58"}
_CANCELLED = "57014"
RACE_TRIES = 6
#: what a connection that broke raises; psycopg's own too, as some statements bypass Django's cursor
LOST = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


class Fault(enum.Enum):
    """Whose fault an error is."""

    SERVER = "server"  # connection, disk, shutdown: the queue waits, and no item is blamed
    RACE = "race"  # lost against another transaction: the same again may do
    TIMEOUT = "timeout"  # the item took longer than it may
    ITEM = "item"


class Race(Exception):
    """What was read has changed meanwhile: roll back and do the same again."""


class Prepare(Exception):
    """Something is missing that needs a transaction of its own: roll back, `prepare()`, and do the same again."""

    def prepare(self) -> None:
        """Make what is missing."""
        raise NotImplementedError


class OutOfTime(Exception):
    """An item has used up its time."""


class Unfit(Exception):
    """The installation is set up wrongly: all work waits until that is put right."""


def fault_of(error: BaseException) -> Fault:
    """Tell whose fault an error is."""
    if isinstance(error, Unfit):
        return Fault.SERVER
    if isinstance(error, Race):
        return Fault.RACE
    if isinstance(error, OutOfTime):
        return Fault.TIMEOUT
    if connection.connection is not None and connection.connection.closed:
        return Fault.SERVER  # whatever it looks like by now
    state = _sqlstate(error)
    if state in _RACES:
        return Fault.RACE
    if state == _CANCELLED:
        return Fault.TIMEOUT
    if state in _SERVER or state[:2] in _SERVER_CLASSES:
        return Fault.SERVER
    if not state and isinstance(error, LOST):
        return Fault.SERVER
    return Fault.ITEM


def _sqlstate(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, psycopg.Error) and error.sqlstate:
            return error.sqlstate
        error = error.__cause__
    return ""


def describe_error(error: BaseException) -> str:
    """Return what happened and where in our code, without a value of any row: messages of errors quote them."""
    cause = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else error
    words = [type(cause).__name__]
    if isinstance(cause, psycopg.Error):
        diagnosis = cause.diag
        words += [text for text in (cause.sqlstate, diagnosis.table_name, diagnosis.constraint_name) if text]
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(settings.BASE_DIR)
        and ".venv" not in frame.filename
        and frame.filename != __file__
    ]
    if ours:
        place = Path(ours[-1].filename).relative_to(settings.BASE_DIR)
        words.append(f"in {place}:{ours[-1].lineno} {ours[-1].name}")
    return " ".join(words)[:300]


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Bound what is done inside, a transaction of its own or a savepoint, to about so many seconds.

    No statement takes longer than half of them and none begins after that half, so the whole cannot take much longer.
    """
    ends = time.monotonic() + seconds / 2

    def in_time(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        # The way back stays open: what ran out of time is rolled back to its savepoint.
        if time.monotonic() > ends and not str(sql).startswith(("ROLLBACK TO", "RELEASE")):
            raise OutOfTime(f"more than {seconds:.0f} s")
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{max(1, round(seconds * 500))}ms"])
    with connection.execute_wrapper(in_time):
        yield


def persist(attempt: Callable[[], T]) -> T:
    """Run a transaction; run it again when it lost a race, or when something had to be prepared for it first."""
    for number in range(1, RACE_TRIES):
        try:
            return attempt()
        except Prepare as missing:
            missing.prepare()
        except Exception as error:
            if fault_of(error) is not Fault.RACE:
                raise
            time.sleep(random.uniform(0.005, 0.05) * number)  # noqa: S311 - spreads retries, guards nothing
    return attempt()
