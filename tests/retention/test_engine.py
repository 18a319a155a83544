"""The nightly run: in batches, resumed after a kill, and one class that fails harms itself alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from cdp.common.models import RetentionPeriod, RetentionRun
from cdp.common.retention import DataClass, Position, Step, Survey, retention
from cdp.retention import engine
from cdp.retention.engine import ClocksDisagree, due_classes, next_night, night_of, run_retention
from cdp.retention.health import retention_health
from profiles.models import SeenMessage
from tests.live import REPOSITORY, process_environment
from tests.queues.running import run_scheduled


class Rows:
    """A class of data in memory: numbers, the oldest first."""

    def __init__(self, count: int) -> None:
        self.left = list(range(count))
        self.batches: list[int] = []
        self.failures: list[Exception] = []

    def remove(self, _before: datetime, limit: int, position: Position) -> Step:
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append(limit)
        gone, self.left = self.left[:limit], self.left[limit:]
        return Step(len(gone), {"seen": position.get("seen", 0) + len(gone)} if self.left else None)

    def survey(self, _before: datetime) -> Survey:
        return Survey(len(self.left), None)


def register(monkeypatch: pytest.MonkeyPatch, **classes: Rows) -> None:
    """Let these be all classes there are."""
    made = {
        name: DataClass(
            group="system", label=name, what=name, remains=name, holds=(), default_days=30, minimum_days=1,
            remove=rows.remove, survey=rows.survey, batch=1000,
        )
        for name, rows in classes.items()
    }  # fmt: skip
    monkeypatch.setattr(retention, "_items", made)


@pytest.fixture
def run(db: None) -> Any:
    """Return a function that gives the run of a class."""
    return lambda name: RetentionRun.objects.get(name=name)


def test_a_night_begins_at_two_in_the_zone_of_the_business() -> None:
    assert night_of(datetime(2026, 7, 2, 23, 59, tzinfo=UTC)) == date(2026, 7, 2)  # 01:59 in Amsterdam
    assert night_of(datetime(2026, 7, 3, 0, 1, tzinfo=UTC)) == date(2026, 7, 3)  # 02:01
    assert next_night(datetime(2026, 7, 3, 0, 1, tzinfo=UTC)).astimezone(UTC) == datetime(2026, 7, 4, 0, tzinfo=UTC)


def test_everything_past_its_time_goes_in_batches(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    few, many = Rows(10), Rows(2500)
    register(monkeypatch, few=few, many=many)
    assert run_retention() is False
    assert (few.left, many.left, many.batches) == ([], [], [1000, 1000, 1000])
    done = run("many")
    assert (done.removed, done.waiting, done.problem) == (2500, 0, "")
    assert done.finished_at is not None and timezone.now() - done.before > timedelta(days=29)
    assert run_retention() is False and len(many.batches) == 3  # once a night


def test_what_a_wake_did_not_finish_the_next_goes_on_with(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    many = Rows(2500)
    register(monkeypatch, many=many)
    monkeypatch.setattr(engine, "TURN_SECONDS", 0.0)
    clock = iter([0.0, 0.0, 0.0, 0.0, 100.0, 100.0, 100.0])
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert run_retention(seconds=50) is True
    assert (run("many").removed, run("many").position) == (1000, {"seen": 1000})
    monkeypatch.undo()
    register(monkeypatch, many=many)
    assert run_retention() is False
    assert run("many").removed == 2500


def test_a_class_that_fails_harms_itself_alone_and_is_told(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    good, bad = Rows(3), Rows(3)
    bad.failures = [ValueError("no")] * 9
    register(monkeypatch, bad=bad, good=good)
    assert run_retention() is False
    assert good.left == [] and len(bad.failures) == 8  # once a wake
    assert "ValueError" in run("bad").problem and run("bad").finished_at is None
    assert retention_health()[0] is False
    for _wake in range(9):
        run_retention()
    assert len(bad.failures) == 4 and run("bad").finished_at is not None  # given up for this night
    assert bad.left == [0, 1, 2]


def test_a_batch_that_is_too_slow_is_tried_again_with_fewer_rows(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    slow = Rows(300)

    def remove(before: datetime, limit: int, position: Position) -> Step:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [0.0 if limit <= 250 else 5])
        return slow.remove(before, limit, position)

    register(monkeypatch, slow=slow)
    monkeypatch.setitem(retention._items, "slow", DataClass(**{**vars(retention.get("slow")), "remove": remove}))
    monkeypatch.setattr("cdp.common.retention.BATCH_SECONDS", 0.6)
    run_retention()
    assert slow.left == list(range(300)) and run("slow").batch == 250
    run_retention()
    assert slow.left == [] and run("slow").problem == ""


def test_a_period_without_end_removes_nothing(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    rows = Rows(3)
    register(monkeypatch, rows=rows)
    RetentionPeriod.objects.create(name="rows", days=None, changed_by="test")
    assert run_retention() is False
    assert len(rows.left) == 3 and not due_classes(timezone.now())


def test_nothing_is_removed_while_nobody_knows_what_time_it_is(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    rows = Rows(3)
    register(monkeypatch, rows=rows)
    monkeypatch.setattr("cdp.retention.engine.timezone.now", lambda: datetime(2036, 1, 1, tzinfo=UTC))
    with pytest.raises(ClocksDisagree):
        run_retention()
    assert len(rows.left) == 3


@pytest.mark.django_db
def test_the_schedule_runs_it() -> None:
    SeenMessage.objects.create(
        key="12345678123456781234567812345678", payload_digest=b"x", received_at=timezone.now() - timedelta(days=401)
    )
    run_scheduled("cdp.run_retention")
    assert not SeenMessage.objects.exists()
    runs = {row.name: row for row in RetentionRun.objects.all()}
    assert runs["message_ids"].removed == 1
    assert {name for name, data in retention.items() if data.default_days is not None or data.own_periods} == set(runs)
    assert all(row.finished_at is not None and not row.problem for row in runs.values())
    assert retention_health()[0] is True


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_leaves_a_run_that_another_finishes() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_seenmessage SELECT gen_random_uuid(), '\\x00', now() - interval '500 days'"
            " FROM generate_series(1, 60000)"
        )
    RetentionRun.objects.create(
        name="message_ids", night=night_of(timezone.now()), before=timezone.now() - timedelta(days=400), batch=200
    )
    program = "import django; django.setup(); from cdp.retention.engine import run_retention; run_retention()"
    worker = subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=process_environment(0), stderr=subprocess.DEVNULL
    )
    run = RetentionRun.objects.get(name="message_ids")
    while run.removed == 0 and worker.poll() is None:
        time.sleep(0.05)
        run.refresh_from_db()
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    time.sleep(0.5)  # the server ends the session of the dead
    run.refresh_from_db()
    assert 0 < run.removed < 60000 and run.finished_at is None
    assert SeenMessage.objects.count() == 60000 - run.removed
    while run_retention():
        pass
    run.refresh_from_db()
    assert run.removed == 60000 and run.finished_at is not None
    assert not SeenMessage.objects.exists()
