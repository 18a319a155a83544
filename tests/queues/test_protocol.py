"""What holds for every queue and every task: schedule, times, slots, dead letters, health."""

from __future__ import annotations

import ast
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from celery import current_app
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from cdp.broker.options import connection_string
from cdp.common import queue_items
from cdp.common.faults import Fault, OutOfTime, Race, describe_error, fault_of
from cdp.common.models import AccessLog, DeadLetter, QueueItem
from cdp.common.queue_items import Claim, claim, put, work_items
from cdp.common.queues import MAX_ATTEMPTS, Queue, Run, drain, holder, queues, slot
from cdp.processes.kinds import KINDS, PING, kind_of
from cdp.schedules import intervals
from tests.queues.running import hurry, run_scheduled

APPS = ("campaigns", "cdp", "consent", "profiles", "segments")
OWN = [name for name in current_app.tasks if name.partition(".")[0] in APPS]


# Schedule ----------------------------------------------------------------------------------------------------------
def source_tasks() -> set[str]:
    """Return the names of all tasks written in the source: with shared_task, and as the task of a Queue."""
    found = set()
    for path in (path for app in APPS for path in Path(settings.BASE_DIR, app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            wanted = {"shared_task": "name", "task": "name", "Queue": "task"}.get(called)
            for keyword in node.keywords if wanted else ():
                if keyword.arg == wanted and isinstance(keyword.value, ast.Constant):
                    found.add(str(keyword.value.value))
    return found


@pytest.mark.django_db
def test_every_task_is_scheduled_or_sent_by_beat_itself() -> None:
    scheduled = set(PeriodicTask.objects.filter(enabled=True).values_list("task", flat=True))
    assert set(OWN) - scheduled - {PING} == set(), "a task that nothing wakes is never run"
    assert source_tasks() - scheduled - {PING} == set()
    assert set(intervals()) <= set(current_app.tasks), "a schedule names a task that is not there"


# Times -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(dict(queues.items())))
def test_the_times_of_a_queue_agree(name: str) -> None:
    queue = queues.get(name)
    task = current_app.tasks[queue.task]
    assert queue.item_seconds < queue.run_seconds < queue.lease_seconds < queue.task_seconds
    assert int(queue.task_seconds) == task.soft_time_limit, "the watchdog takes the task for hung only after that"
    assert task.time_limit is None and current_app.conf.task_time_limit is None, (
        "no task is killed in the normal course"
    )
    assert 0 < queue.every <= 60


def test_no_queue_can_take_all_the_threads_of_its_kind_of_work() -> None:
    wanted: dict[str, int] = defaultdict(int)
    several = defaultdict(set)
    for queue in queues:
        wanted[kind_of(queue.task).name] += queue.slots
        several[kind_of(queue.task).name].add(queue.name)
    for kind in KINDS:
        if len(several[kind.name]) > 1:
            assert kind.threads >= wanted[kind.name], (
                f"{kind.name}: one of {several[kind.name]} may keep another waiting"
            )


# Whose fault -------------------------------------------------------------------------------------------------------
class _State(psycopg.OperationalError):
    def __init__(self, state: str) -> None:
        super().__init__("secret@example.org")
        self.sqlstate = state


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OperationalError("server closed the connection unexpectedly"), Fault.SERVER),
        (InterfaceError("connection already closed"), Fault.SERVER),
        (_State("57P01"), Fault.SERVER),
        (_State("53100"), Fault.SERVER),
        (_State("08006"), Fault.SERVER),
        (_State("25006"), Fault.SERVER),
        (_State("40P01"), Fault.RACE),
        (_State("40001"), Fault.RACE),
        (_State("55P03"), Fault.RACE),
        (Race(), Fault.RACE),
        (_State("57014"), Fault.TIMEOUT),
        (OutOfTime(), Fault.TIMEOUT),
        (_State("53200"), Fault.ITEM),
        (_State("54001"), Fault.ITEM),
        (_State("XX000"), Fault.ITEM),
        (IntegrityError("x"), Fault.ITEM),
        (RecursionError(), Fault.ITEM),
        (MemoryError(), Fault.ITEM),
        (KeyError("x"), Fault.ITEM),
    ],
)
def test_whose_fault_an_error_is(error: Exception, fault: Fault) -> None:
    assert fault_of(error) is fault
    wrapped = OperationalError("wrapped")
    wrapped.__cause__ = error if isinstance(error, psycopg.Error) else None
    if wrapped.__cause__:
        assert fault_of(wrapped) is fault
    assert "secret" not in describe_error(error)


# Items -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Claim], None]], Queue]:
    """Return a function that makes a queue of items of what to do with one."""

    def make(work: Callable[[Claim], None], slots: int = 1) -> Queue:
        queue = replace(
            queues.get("imports"), name="toy", slots=slots, item_seconds=1, work=lambda run: work_items(run, work)
        )
        monkeypatch.setitem(queues._items, "toy", queue)
        return queue

    return make


def due() -> None:
    QueueItem.objects.update(due_at=timezone.now() - timedelta(hours=1))


@pytest.mark.django_db
def test_an_item_that_fails_waits_longer_each_time_and_then_is_a_dead_letter(toy: Callable[..., Queue]) -> None:
    seen: list[int] = []

    def work(item: Claim) -> None:
        seen.append(item.key)
        if item.key == 2:
            raise ValueError("secret@example.org")

    toy(work)
    put("toy", [1, 2, 3])
    due()
    drain("toy")
    assert sorted(seen) == [1, 2, 3]
    waits = []
    for _attempt in range(MAX_ATTEMPTS - 1):
        row = QueueItem.objects.get()
        waits.append((row.due_at - timezone.now()).total_seconds())
        due()
        drain("toy")
    assert waits == sorted(waits) and waits[-1] > 100
    letter = DeadLetter.objects.get()
    assert (letter.key, letter.attempts, letter.reason) == ("2", MAX_ATTEMPTS, "error")
    assert "ValueError" in letter.error and "secret" not in letter.error
    put("toy", [2])
    assert not DeadLetter.objects.exists(), "who puts it in again forgets what failed"


@pytest.mark.django_db
def test_an_error_of_the_server_blames_nobody(toy: Callable[..., Queue]) -> None:
    def work(item: Claim) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    toy(work)
    put("toy", [1])
    due()
    with pytest.raises(OperationalError):
        drain("toy")
    row = QueueItem.objects.get()
    assert (row.attempts, row.error) == (0, "")


@pytest.mark.django_db
def test_what_was_put_in_again_while_it_was_at_work_is_done_again(toy: Callable[..., Queue]) -> None:
    seen: list[int] = []

    def work(item: Claim) -> None:
        seen.append(item.key)
        if len(seen) == 1:
            put("toy", [item.key])
            due()

    toy(work)
    put("toy", [1])
    due()
    drain("toy")
    due()
    drain("toy")
    assert seen == [1, 1] and not QueueItem.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_dead_holder_is_replaced_at_once_and_a_living_one_is_not(toy: Callable[..., Queue]) -> None:
    seen: list[int] = []
    queue = toy(lambda item: seen.append(item.key))
    put("toy", [1])
    with psycopg.connect(connection_string(connection.settings_dict), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s, 4711)", [7_203_200])
        claim(Run(queue, 0, 4711, 0), 1)
        drain("toy")
        assert not seen and queue_items.is_held("toy", 1)
        other.execute("SELECT pg_advisory_unlock_all()")  # as the server does when the session ends
    drain("toy")
    assert seen == [1] and not QueueItem.objects.exists()


@pytest.mark.django_db
def test_who_lost_the_claim_finds_out_before_it_writes(toy: Callable[..., Queue]) -> None:
    with holder() as another:

        def work(item: Claim) -> None:
            QueueItem.objects.update(holder=another)
            item.renew()
            raise AssertionError("it went on")

        toy(work)
        put("toy", [1])
        due()
        drain("toy")
        row = QueueItem.objects.get()
        assert (row.attempts, row.holder) == (0, another)


@pytest.mark.django_db
def test_an_item_that_kills_its_workers_is_given_up(toy: Callable[..., Queue]) -> None:
    seen: list[int] = []
    queue = toy(lambda item: seen.append(item.key))
    put("toy", [1, 2])
    QueueItem.objects.filter(key=1).update(holder=4711, deaths=queue_items.MAX_DEATHS)
    due()
    drain("toy")
    assert seen == [2]
    assert DeadLetter.objects.get().reason == "worker_died"
    assert queue.name == "toy"


@pytest.mark.django_db
def test_only_progress_forgets_what_failed(toy: Callable[..., Queue]) -> None:
    def work(item: Claim) -> None:
        item.renew()
        raise ValueError

    toy(work)
    put("toy", [1])
    due()
    drain("toy")
    assert QueueItem.objects.get().attempts == 1
    due()
    with holder() as held:
        (item,) = claim(Run(queues.get("toy"), 0, held, 0), 1)
        item.renew()
        assert QueueItem.objects.get().attempts == 1
        item.renew(progress=True)
        assert QueueItem.objects.get().attempts == 0


@pytest.mark.django_db
def test_of_several_slots_the_last_takes_only_what_never_failed(toy: Callable[..., Queue]) -> None:
    queue = toy(lambda item: None, slots=2)
    put("toy", [1])
    due()
    QueueItem.objects.update(attempts=1)
    assert not claim(Run(queue, 1, 1, 0), 1)
    assert claim(Run(queue, 0, 1, 0), 1)


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_that_finds_the_slot_taken_is_not_lost(toy: Callable[..., Queue]) -> None:
    """Whoever comes while another is about to end leaves; the other looks once more after it gave its slot back."""
    seen: list[int] = []
    queue = toy(lambda item: seen.append(item.key))

    def work(run: Run) -> int:
        done = work_items(run, lambda item: seen.append(item.key))
        if not seen:  # nothing was there; now something comes, and its wake-up finds the slot taken
            other = threading.Thread(target=come)
            other.start()
            other.join()
        return done

    def come() -> None:
        put("toy", [1])
        assert drain("toy") is False
        connection.close()

    def measure() -> tuple[int, float | None]:
        return QueueItem.objects.filter(queue="toy").count(), None

    queues._items["toy"] = replace(queue, work=work, measure=measure)
    drain("toy")
    assert seen == [1]


@pytest.mark.django_db
def test_a_task_that_is_no_queues_runs_once_at_a_time() -> None:
    task = current_app.tasks["consent.finish_erasures"]
    with psycopg.connect(connection_string(connection.settings_dict), autocommit=True) as other:
        with slot(task.name, 1):
            space, number = other.execute(
                "SELECT classid::bigint, objid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchone() or (0, 0)
        space = space - 2**32 if space >= 2**31 else space
        other.execute("SELECT pg_advisory_lock(%s::int, %s::int)", [space, number])
        assert task() is None
        # Given back before the connection closes: the server ends a closed one a moment later.
        other.execute("SELECT pg_advisory_unlock_all()")
    assert task() == 0


# Dead letters and health -------------------------------------------------------------------------------------------
def letter(key: str = "7", queue: str = "segments_refresh") -> DeadLetter:
    now = timezone.now()
    return DeadLetter.objects.create(
        queue=queue,
        key=key,
        reason="timeout",
        parameters={"seconds": 300},
        attempts=5,
        first_tried_at=now,
        last_tried_at=now,
    )


PAGE = "/system/health/dead-letters/"


@pytest.mark.django_db
def test_an_administrator_sees_retries_and_discards_dead_letters(client_as: Callable[[str], Client]) -> None:
    admin = client_as("Administrator")
    assert "Nothing was given up" in admin.get(PAGE).content.decode()
    first, second, third = letter("7"), letter("8"), letter("9", queue="gone")
    html = admin.get(PAGE).content.decode()
    assert "Segments to count anew" in html and "longer than 300 seconds" in html
    assert "8" in admin.get(f"{PAGE}?queue=segments_refresh").content.decode()
    assert admin.post(f"{PAGE}{first.pk}/retry/").status_code == 302
    assert QueueItem.objects.get().key == 7
    assert admin.post(f"{PAGE}{second.pk}/discard/").status_code == 302
    answer = admin.post(f"{PAGE}{third.pk}/retry/", follow=True)
    assert "Nothing works at this queue any more" in answer.content.decode()
    assert list(DeadLetter.objects.values_list("key", flat=True)) == ["9"]
    assert set(AccessLog.objects.filter(action__startswith="dead_letter").values_list("action", "object_id")) == {
        ("dead_letter.retried", "7"),
        ("dead_letter.discarded", "8"),
    }
    letter("1"), letter("2")
    answer = admin.post(f"{PAGE}retry/", {"queue": ""}, follow=True)
    assert "2 were put back" in answer.content.decode() and "1 could not" in answer.content.decode()
    assert QueueItem.objects.count() == 3


@pytest.mark.django_db
def test_nobody_else_may(client_as: Callable[[str], Client]) -> None:
    row = letter()
    for role in ("Marketer", "Analyst", "Privacy officer"):
        assert client_as(role).get(PAGE).status_code == 403
        assert client_as(role).post(f"{PAGE}{row.pk}/retry/").status_code == 403
        assert client_as(role).post(f"{PAGE}{row.pk}/discard/").status_code == 403
        assert client_as(role).post(f"{PAGE}retry/").status_code == 403
    assert DeadLetter.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(dict(queues.items())))
def test_health_is_red_when_something_waits_for_too_long_whatever_processes_say(
    name: str, client: Client, client_as: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = client.get("/readyz").json()
    assert f"queue:{name}" not in before["down"]
    told = before["queues"][name]
    assert (told["depth"], told["oldest_seconds"], told["dead_letters"]) == (0, None, 0)
    hurry(monkeypatch, name, measure=lambda: (3, told["late_after_seconds"] + 1))
    letter("1", queue=name)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert f"queue:{name}" in answer.json()["down"] and f"dead_letters:{name}" in answer.json()["warnings"]
    html = client_as("Administrator").get("/system/health/").content.decode()
    assert "late" in html and f"{PAGE}?queue={name}" in html
    assert "Items that a queue gave up on" in client_as("Administrator").get("/").content.decode()


@pytest.mark.django_db
def test_every_queue_runs_by_its_schedule_with_nothing_to_do() -> None:
    for queue in queues:
        run_scheduled(queue.task)
        assert queue.measure() == (0, None)
