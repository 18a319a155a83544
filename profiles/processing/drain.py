"""Drain the inbox: block after block until it is empty, whatever single messages or other workers do."""

from __future__ import annotations

import time

from django.db import connection, transaction

from cdp.common import queues
from cdp.common.faults import Fault, OutOfTime, bounded, describe_error, fault_of, persist
from cdp.common.garbage import no_cycle_search
from cdp.common.models import DeadLetter
from cdp.common.queue_blocks import ALONE, BlockTable, Row, work_blocks
from cdp.common.queues import GIVE_WAY_SECONDS, Run
from cdp.common.wake import wake
from profiles.catalogue.store import recorder
from profiles.processing.block import Place, process_entries, read_bodies
from profiles.processing.claim import MAX_BLOCK_ROWS, Entry, load_bodies
from profiles.processing.sources import load_rules, load_sources

INBOX = BlockTable("profiles_inbox", "raw_id, received_at, source_id, attempts", since="received_at")
#: what one message may take while the failing one is looked for in its body
TRIAL_SECONDS = 4.0


def drain_inbox(*, seconds: float = GIVE_WAY_SECONDS) -> bool:
    """Process the inbox until nothing is due; return whether time was up first."""
    return queues.drain("inbox", seconds=seconds)


def work_inbox(run: Run) -> int:
    """Process what is due, block by block; return how many bodies were worked at."""
    with recorder.gathering():
        return work_blocks(
            run, INBOX, _process, limit=MAX_BLOCK_ROWS, alone=lambda row, error: _process_alone(run, row, error)
        )


def retry_body(letter: DeadLetter) -> None:
    """Put the body of a dead letter back; one that retention removed meanwhile is gone for good."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_inbox (raw_id, received_at, source_id, attempts)"
            " SELECT id, received_at, source_id, 0 FROM profiles_rawmessage WHERE received_at = %s AND id = %s"
            " ON CONFLICT DO NOTHING",
            [letter.payload["received_at"], int(letter.key)],
        )
    wake("profiles.process_inbox")


def _process(rows: list[Row]) -> int:
    with no_cycle_search():
        done = process_entries([Entry(*row[:3]) for row in rows])
    INBOX.delete([entry.raw_id for entry in done])
    return len(done)


# One body that fails -----------------------------------------------------------------------------------------------
def _process_alone(run: Run, row: Row, error: Exception | None) -> None:
    """Reject the messages of a body that cannot be stored, and store the rest; if that fails too, put the body off."""
    entry, attempts = Entry(*row[:3]), row[3]
    payload = {"received_at": entry.received_at.isoformat(), "source_id": entry.source_id}
    fault = fault_of(error) if error else Fault.RACE  # what kills a worker is not tried message by message
    if fault is Fault.ITEM or (fault is Fault.TIMEOUT and attempts > ALONE):
        try:
            skip = _find_failing(entry, until=time.monotonic() + run.queue.item_seconds)
            persist(lambda: _store(entry, skip, run.queue.item_seconds))
            return
        except Exception as again:
            if fault_of(again) is Fault.SERVER:
                raise
            error = again
    INBOX.put_off(run, entry.raw_id, error, payload=payload)


@transaction.atomic
def _store(entry: Entry, skip: dict[Place, str], seconds: float) -> None:
    """Process one body without some of its messages, unless another worker has it."""
    with bounded(seconds), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM profiles_inbox WHERE raw_id = %s FOR UPDATE SKIP LOCKED", [entry.raw_id])
        if cursor.fetchone():
            process_entries([entry], skip=skip)
            INBOX.delete([entry.raw_id])


def _find_failing(entry: Entry, *, until: float) -> dict[Place, str]:
    """Return the messages of a body that cannot be stored, each with what went wrong."""
    with transaction.atomic():
        work = read_bodies(load_bodies([entry]), load_rules(), load_sources())
    everything = [(item.origin.raw_id, item.message.position) for item in work.items]
    failing: dict[Place, str] = {}
    parts = [everything]
    while parts:
        part = parts.pop()
        if time.monotonic() > until:
            raise OutOfTime("the search for the messages that fail takes too long")
        problem = _try(entry, set(everything) - set(part)) if part else ""
        if problem and len(part) == 1:
            failing[part[0]] = problem
        elif problem:
            parts += [part[: len(part) // 2], part[len(part) // 2 :]]
    return failing


class _TrialOver(Exception):
    """Roll the trial back."""


def _try(entry: Entry, leave_out: set[Place]) -> str:
    """Return why the rest of a body cannot be stored; empty when it can. Nothing is kept."""

    def attempt() -> None:
        with transaction.atomic():
            _store(entry, dict.fromkeys(leave_out, "trial"), TRIAL_SECONDS)
            raise _TrialOver

    try:
        persist(attempt)
    except _TrialOver:
        return ""
    except Exception as error:
        if fault_of(error) is Fault.SERVER:
            raise
        return describe_error(error)
    return ""
