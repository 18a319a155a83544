"""Workers and servers are killed again and again under load: nothing accepted is lost, nothing counts twice.

Covers E1, E2, E5 (worker killed while busy), E31 (a worker that grew too large), F1.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.faults.installation import Installation, eventually, running_installation

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def product() -> Iterator[Installation]:
    # Small enough that a block of events makes a worker too large now and then.
    with running_installation(WORKER_MAX_MB="130") as found:
        yield found


def all_processed(product: Installation, expected: int) -> None:
    eventually(lambda: product.stored() >= expected, f"{expected} events are processed", 300)
    time.sleep(3)
    assert product.stored() == expected, "events count twice"
    assert product.query("SELECT count(*) FROM common_deadletter") == [(0,)]


def test_a_worker_killed_while_busy_loses_nothing(product: Installation) -> None:
    before, killed, pid = product.stored(), 0, 0
    for _batch in range(40):
        product.collect(500)
    end = time.monotonic() + 60
    while killed < 12 and time.monotonic() < end and product.stored() < before + 20_000:
        pid = product.wait_replaced("events", pid)
        time.sleep(random.uniform(0.1, 1.5))
        if psutil.pid_exists(pid):
            product.kill("events", signal.SIGKILL)
            killed += 1
    assert killed, "it was never at work: the test shows nothing"
    all_processed(product, before + 20_000)


def test_a_worker_that_grew_too_large_ends_and_is_started_anew(product: Installation) -> None:
    product.wait_ready()
    before = product.stored()
    for _batch in range(20):
        product.collect(500)
    all_processed(product, before + 10_000)
    eventually(lambda: "it ends after the task at hand" in product.log(), "one grew too large", 60)
    product.wait_ready()


def test_everything_killed_in_turn_under_load(product: Installation) -> None:
    product.wait_ready()
    before, sent, stop = product.stored(), 0, threading.Event()
    lock = threading.Lock()

    def load() -> None:
        nonlocal sent
        while not stop.is_set():
            accepted = len(product.collect(50))
            with lock:
                sent += accepted
            time.sleep(0.2)  # much less than the processor does in a second: it must be through in the end

    clients = [threading.Thread(target=load) for _client in range(3)]
    for client in clients:
        client.start()
    try:
        for number in range(20):
            time.sleep(random.uniform(1, 3))
            _kill_one(product, number)
    finally:
        stop.set()
        for client in clients:
            client.join(180)
    product.wait_ready()
    assert sent > 1000
    all_processed(product, before + sent)


def _kill_one(product: Installation, number: int) -> None:
    """Kill one part, each kind in its turn."""
    part = ("events", "web", "segments", "backend", "main", "postgres", "beat")[number % 7]
    if part == "postgres":
        if postmaster := product.server.postmaster():
            os.kill(postmaster, signal.SIGKILL)
    elif part == "backend":
        if product.server.answers():
            product.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                " AND pid <> pg_backend_pid() ORDER BY random() LIMIT 3"
            )
    elif part == "main":
        parent = psutil.Process(product.pid("web")).parent()
        if parent is not None and parent in product.processes():
            parent.kill()
    else:
        product.kill(part, signal.SIGKILL)


def test_a_worker_that_runs_out_of_memory_while_busy_blames_no_event() -> None:
    with running_installation() as product:
        before = product.stored() + 100
        product.collect(100)  # so that its threads have begun
        eventually(lambda: product.stored() == before, "it is at work")
        pid = product.pid("events")
        used = psutil.Process(pid).memory_info().vms
        resource.prlimit(pid, resource.RLIMIT_AS, (used + 3 * 2**20, resource.RLIM_INFINITY))
        for _batch in range(20):
            product.collect(500)
        time.sleep(20)
        if psutil.pid_exists(pid):  # else it died of it, and was started anew without the limit
            resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        all_processed(product, before + 10_000)
