"""Beat fires by its lease only, whatever the clocks say (F5, F19)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from cdp.common.models import Heartbeat
from cdp.health.heartbeats import WORKER_PREFIX, heartbeat_ages, record_heartbeat
from cdp.processes.beat import LeaseScheduler
from cdp.processes.kinds import NAMES, PING
from cdp.processes.lease import BEAT_LEASE, Lease

pytestmark = pytest.mark.django_db


class Recording(LeaseScheduler):
    """Beat with its last step, the message to the broker, noted instead of sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[tuple[str, str]] = []
        super().__init__(*args, lazy=True, **kwargs)
        self.setup_schedule()

    def schedule_changed(self) -> bool:
        return False  # it would commit; nobody edits a schedule here

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> None:
        self.sent.append((entry.task, ""))

    def send_task(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.sent.append((name, kwargs["queue"]))

    def fired(self) -> set[str]:
        return {name for name, _queue in self.sent if name != PING}


@pytest.fixture
def beats() -> Iterator[list[Recording]]:
    for name in NAMES:
        record_heartbeat(WORKER_PREFIX + name)
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(days=2))
    beats: list[Recording] = [Recording(current_app), Recording(current_app)]
    yield beats
    for beat in beats:
        beat._finalize.cancel()


def run(beat: Recording, turns: int = 60) -> set[str]:
    beat.sent.clear()
    for _turn in range(turns):
        beat.tick()
    return beat.fired()


def everything() -> set[str]:
    return set(PeriodicTask.objects.filter(enabled=True).values_list("task", flat=True))


def test_only_the_holder_fires_and_the_other_takes_over_when_it_falls_silent(beats: list[Recording]) -> None:
    first, second = beats
    assert run(first) == everything()
    assert run(second) == set()
    first.lease.release()  # as its end would have it
    assert run(second) == everything()


def test_a_beat_that_wakes_after_its_lease_went_fires_nothing_more(beats: list[Recording]) -> None:
    hung, spare = beats
    assert hung.lease.hold()
    hung._beat()
    hung.lease._until = float("-inf")  # it hung right here, inside its turn, until the lease had run out
    entry = next(iter(hung.schedule.values()))
    hung.sent.clear()
    hung.apply_entry(entry)
    assert hung.sent == []


def test_a_last_run_in_the_future_does_not_silence_it(beats: list[Recording]) -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() + timedelta(days=1))
    beat = Recording(current_app)
    run(beat)
    soon = [entry.is_due().next for entry in beat.schedule.values()]
    assert max(soon) <= 24 * 3600
    assert min(soon) < 5, "the drains are due within seconds, not in a day"
    time.sleep(2.1)
    assert "profiles.process_inbox" in run(beat)
    beat._finalize.cancel()


def test_a_clock_that_is_put_back_does_not_silence_it(beats: list[Recording]) -> None:
    beat, _other = beats
    run(beat)
    # As after a day by a clock that was a day ahead, and then was put right.
    heap: Any = beat
    heap._heap = [event._replace(time=event.time + 86_400) for event in heap._heap]
    for entry in beat.schedule.values():
        entry.last_run_at = entry.model.last_run_at = timezone.now() + timedelta(days=1)
    beat._clocks += 86_400
    run(beat, 2)
    time.sleep(2.1)
    assert "profiles.process_inbox" in run(beat)


def test_every_kind_hears_something_and_nobody_who_is_absent_is_woken(beats: list[Recording]) -> None:
    beat, _other = beats
    assert heartbeat_ages()["beat"] is None
    Heartbeat.objects.filter(name=WORKER_PREFIX + "events").update(at=timezone.now() - timedelta(hours=1))
    fired = run(beat)
    assert {queue for name, queue in beat.sent if name == PING} == set(NAMES) - {"events"}
    assert fired == everything() - {"profiles.process_inbox"}
    age = heartbeat_ages()["beat"]
    assert age is not None and age < 30


def test_the_lease_is_the_one_that_workers_look_at() -> None:
    assert LeaseScheduler(current_app, lazy=True).lease.name == BEAT_LEASE == Lease(BEAT_LEASE).name
