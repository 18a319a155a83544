"""Beat's rows, and the places of drains."""

from __future__ import annotations

import psycopg
import pytest
from celery import current_app
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from cdp.broker.options import connection_string, transport_options
from cdp.drains import place
from cdp.schedules import INTERVALS, sync_schedules


@pytest.mark.django_db
def test_every_task_that_exists_has_a_row() -> None:
    rows = dict(PeriodicTask.objects.filter(name__in=INTERVALS).values_list("name", "interval__every"))
    assert rows == {name: seconds for name, seconds in INTERVALS.items() if name in current_app.tasks}
    assert "cdp.heartbeat" in rows


@pytest.mark.django_db
def test_an_edited_row_stays_and_a_deleted_one_comes_back() -> None:
    slow = IntervalSchedule.objects.create(every=77, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.filter(name="cdp.heartbeat").update(interval=slow, enabled=False)
    PeriodicTask.objects.filter(name="segments.sweep").delete()
    sync_schedules()
    edited = PeriodicTask.objects.get(name="cdp.heartbeat")
    assert (edited.interval_id, edited.enabled) == (slow.pk, False)
    assert PeriodicTask.objects.filter(name="segments.sweep").exists()


@pytest.mark.django_db
def test_a_drain_finds_no_place_while_others_hold_them_all() -> None:
    with psycopg.connect(connection_string(connection.settings_dict), autocommit=True) as other:
        with place("test.drain", 1) as mine:
            assert mine
            key, number = other.execute(
                "SELECT classid::bigint, objid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
            ).fetchone() or (None, None)
            assert number == 0
        key = key - 2**32 if key is not None and key >= 2**31 else key
        assert other.execute("SELECT pg_try_advisory_lock(%s::int, 0)", [key]).fetchone() == (True,)
        with place("test.drain", 1) as refused:
            assert not refused
        with place("test.drain", 2) as second:
            assert second


def test_the_visibility_timeout_exceeds_the_longest_task() -> None:
    database = {"HOST": "h", "NAME": "n", "USER": "u", "PASSWORD": "p w", "PORT": ""}
    for url in ("pgmq://", "redis://localhost/0"):
        assert transport_options(url, database, 300)["visibility_timeout"] > 300
    assert "password='p w'" in transport_options("pgmq://", database, 300)["conn_string"]
    assert "conn_string" not in transport_options("pgmq://u:p@elsewhere/db", database, 300)
    assert transport_options("amqp://localhost", database, 300) == {}
