"""Processes that are killed, that hang or that lose their main process are replaced; nothing accepted is lost.

Covers E1, E2, E5 (short), F1 (idle child killed, worker hung), F5 (beat hung), F6 (web's main process killed), F17
(PostgreSQL killed; a PANIC; a second run in the folder).
"""

from __future__ import annotations

import os
import signal
import time

import psutil

from tests.faults.installation import WORKERS, Installation, eventually


def all_is_well(product: Installation, *, before: int) -> None:
    """Every part says so, and an event sent now is processed as all those before it."""
    product.wait_ready()
    product.collect(3)
    eventually(lambda: product.stored() == before + 3, "the events are processed")


def test_killed_workers_come_back_and_the_others_go_on(product: Installation) -> None:
    before = product.stored()
    killed = {name: product.kill(name, signal.SIGKILL) for name in ("events", "sends")}
    product.collect(2)
    for name, pid in killed.items():
        product.wait_replaced(name, pid)
    all_is_well(product, before=before + 2)


def test_those_that_hang_are_replaced(product: Installation) -> None:
    before = product.stored()
    hung = {name: product.kill(name, signal.SIGSTOP) for name in ("events", "beat", "web")}
    for name, pid in hung.items():
        product.wait_replaced(name, pid)
        assert not psutil.pid_exists(pid)
    assert "has shown no sign of life" in product.log()
    all_is_well(product, before=before)


def test_a_killed_main_process_of_the_web_leaves_nobody_on_its_port(product: Installation) -> None:
    before = product.stored()
    worker = product.pid("web")
    main = psutil.Process(worker).parent()
    assert main is not None and "granian" in " ".join(main.cmdline())
    product.collect(2)
    main.kill()
    eventually(lambda: not psutil.pid_exists(worker), "the worker of the web dies with its main process", 15)
    product.wait_replaced("web", worker)
    all_is_well(product, before=before + 2)


def test_a_killed_postgresql_is_started_again(product: Installation) -> None:
    before = product.stored()
    product.collect(2)
    postmaster = product.server.postmaster()
    assert postmaster is not None
    os.kill(postmaster, signal.SIGKILL)
    eventually(lambda: product.server.postmaster() not in (None, postmaster), "PostgreSQL is back")
    all_is_well(product, before=before + 2)


def test_after_a_panic_all_goes_on(product: Installation) -> None:
    before = product.stored()
    product.collect(2)
    (checkpointer,) = product.query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")[0]
    os.kill(checkpointer, signal.SIGABRT)  # as a PANIC ends: abort()
    time.sleep(1)
    all_is_well(product, before=before + 2)


def test_a_second_run_in_the_folder_says_who_is_first_and_harms_nobody(product: Installation) -> None:
    before = {name: product.pid(name) for name in (*WORKERS, "beat", "web")}
    second = product.command("run")
    assert second.returncode != 0
    assert f"already running as process {product.owner()['pid']} on port {product.port}" in second.stderr
    assert "Traceback" not in second.stderr
    assert {name: product.pid(name) for name in before} == before
    assert product.server.answers() and product.get("/readyz")[0] == 200
