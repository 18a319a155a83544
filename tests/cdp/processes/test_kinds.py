"""Which task is of which kind."""

from __future__ import annotations

import pytest
from celery import current_app

from cdp.common.queues import queues
from cdp.processes.kinds import KINDS, NAMES, PING, kind_of, parse_plan, route_task

#: what each kind is for; a new task that ends up elsewhere than its author thought is seen here
EXPECTED = {
    "profiles.process_inbox": "events",
    "segments.process_touched": "segments",
    "segments.sweep": "segments",
    "profiles.run_import": "imports",
    "campaigns.drain_sends": "sends",
    "campaigns.start_due": "sends",
    "consent.verify_ledger": "upkeep",
    "profiles.maintain_partitions": "upkeep",
}


def test_each_task_has_the_kind_that_it_is_meant_for() -> None:
    assert {task: kind_of(task).name for task in EXPECTED} == EXPECTED


def test_every_task_there_is_goes_to_a_queue_that_workers_read() -> None:
    queues = {queue.name for queue in current_app.conf.task_queues}
    assert queues == set(NAMES)
    assert {route_task(name)["queue"] for name in current_app.tasks} <= queues


def test_a_wake_up_is_sent_to_the_queue_of_its_kind() -> None:
    for task, kind in EXPECTED.items():
        options = current_app.amqp.router.route({}, task, (), {})
        assert options["queue"].name == kind


def test_each_task_finds_a_thread_while_all_others_of_its_kind_use_all_their_slots() -> None:
    slots = {name: 1 for name in current_app.tasks if not name.startswith("celery.")}
    slots |= {queue.task: queue.slots for queue in queues}
    for kind in KINDS:
        if kind.name == "upkeep":
            continue  # it has many tasks, and each may wait
        of_kind = [count for task, count in slots.items() if kind_of(task) is kind and task != PING]
        others = sum(of_kind) - min(of_kind)
        assert kind.threads > others or len(of_kind) == 1, f"{kind.name} needs {others + 1} threads"


def test_the_plan_of_processes() -> None:
    assert parse_plan("") == dict.fromkeys(NAMES, 1)
    assert parse_plan("events=3, imports=0") == {**dict.fromkeys(NAMES, 1), "events": 3, "imports": 0}
    for wrong in ("event=2", "events", "events=-1", "events=two"):
        with pytest.raises(ValueError, match=wrong.partition("=")[0]):
            parse_plan(wrong)
