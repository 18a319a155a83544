"""Send the world through the collection API with the real Python SDK, as a shop would."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from segment.analytics.client import Client

from demo.behaviour import Call

#: sized so that the whole world fits: a full queue would drop events
QUEUE_SIZE = 500_000
STEP = 5000


class PushFailed(Exception):
    """The collector did not take everything; the message says what it answered."""


def push(
    calls: Sequence[Call],
    *,
    host: str,
    keys: dict[str, str],
    progress: Callable[[int, int], None] = lambda _d, _t: None,
) -> Counter[str]:
    """Send `calls` with one client per source; return how many went by each. Raise PushFailed at the first loss.

    `keys` gives the write key per source. `progress` is called with events sent and events in all.
    """
    failures: list[str] = []

    def failed(error: Exception, _batch: Any = None) -> None:
        failures.append(str(error))

    clients = {
        source: Client(
            key,
            host=host,
            on_error=failed,
            max_queue_size=QUEUE_SIZE,
            upload_size=100,
            upload_interval=0.05,
        )
        for source, key in keys.items()
    }
    logging.getLogger("segment").setLevel(logging.CRITICAL)  # its errors reach us by on_error
    sent: Counter[str] = Counter()
    for number, call in enumerate(calls, start=1):
        _make(clients[call.source], call)
        sent[call.source] += 1
        if number % STEP == 0:
            _drain(clients.values(), number, len(calls), progress, failures, leave=STEP)
    _drain(clients.values(), len(calls), len(calls), progress, failures, leave=0)
    for client in clients.values():
        client.shutdown()
    if failures:
        raise PushFailed(failures[0])
    return sent


def _make(client: Client, call: Call) -> None:
    shared = {
        "user_id": call.user_id,
        "anonymous_id": call.anonymous_id,
        "context": dict(call.context),
        "timestamp": call.at,
        "message_id": call.message_id,
    }
    if call.method == "identify":
        client.identify(traits=call.data, **shared)
    elif call.method == "page":
        client.page(name=call.name, properties=call.data, **shared)
    else:
        client.track(event=call.name, properties=call.data, **shared)


def _drain(
    clients: Any,
    made: int,
    total: int,
    progress: Callable[[int, int], None],
    failures: list[str],
    *,
    leave: int,
) -> None:
    """Wait until at most `leave` events are queued, so that memory stays flat and progress is true."""
    while not failures:
        queued = sum(client.queue.unfinished_tasks for client in clients)
        if queued <= leave:
            break
        time.sleep(0.02)
    if failures:
        raise PushFailed(failures[0])
    progress(made - leave if made < total else total, total)
