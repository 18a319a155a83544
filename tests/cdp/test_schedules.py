"""Beat's rows, and the slots of tasks."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from cdp.broker.options import connection_string, transport_options
from cdp.common.queues import slot
from cdp.processes.kinds import VISIBILITY_SECONDS
from cdp.schedules import Entry, intervals, sync_schedules


@pytest.mark.django_db
def test_every_task_that_exists_has_a_row() -> None:
    rows = dict(PeriodicTask.objects.filter(name__in=intervals()).values_list("name", "interval__every"))
    assert rows == intervals()


@pytest.mark.django_db
def test_an_edited_row_stays_and_a_deleted_one_comes_back() -> None:
    slow = IntervalSchedule.objects.create(every=77, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.filter(name="campaigns.start_due").update(interval=slow, enabled=False)
    PeriodicTask.objects.filter(name="segments.sweep").delete()
    sync_schedules()
    edited = PeriodicTask.objects.get(name="campaigns.start_due")
    assert (edited.interval_id, edited.enabled) == (slow.pk, False)
    assert PeriodicTask.objects.filter(name="segments.sweep").exists()


@pytest.mark.django_db
def test_no_wake_up_expires_by_the_clock_of_its_sender() -> None:
    PeriodicTask.objects.filter(name="profiles.process_inbox").update(expire_seconds=30)
    sync_schedules()
    assert not PeriodicTask.objects.filter(name__in=intervals()).exclude(expire_seconds=None, expires=None).exists()


@pytest.mark.django_db
def test_a_last_run_in_the_future_does_not_silence_beat() -> None:
    row = PeriodicTask.objects.get(name="profiles.process_inbox")
    row.last_run_at = timezone.now() + timedelta(days=1)
    row.save()
    _due, seconds = Entry(row).is_due()
    assert seconds <= 2


@pytest.mark.django_db
def test_a_drain_finds_no_slot_while_others_hold_them_all() -> None:
    with psycopg.connect(connection_string(connection.settings_dict), autocommit=True) as other:
        with slot("test.drain", 1) as mine:
            assert mine == 0
            key, number = other.execute(
                "SELECT classid::bigint, objid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchone() or (None, None)
            assert number == 0
        key = key - 2**32 if key is not None and key >= 2**31 else key
        assert other.execute("SELECT pg_try_advisory_lock(%s::int, 0)", [key]).fetchone() == (True,)
        with slot("test.drain", 1) as refused:
            assert refused is None
        with slot("test.drain", 2) as second:
            assert second == 1


def test_how_the_broker_is_reached() -> None:
    database = {"HOST": "h", "NAME": "n", "USER": "u", "PASSWORD": "p w", "PORT": ""}
    for url in ("pgmq://", "redis://localhost/0"):
        assert transport_options(url, database)["visibility_timeout"] == VISIBILITY_SECONDS
    text = transport_options("pgmq://", database)["conn_string"]
    assert "password='p w'" in text
    assert "connect_timeout=" in text and "tcp_user_timeout=" in text, (
        "a database that is silent is waited for for hours"
    )
    assert "conn_string" not in transport_options("pgmq://u:p@elsewhere/db", database)
    assert transport_options("amqp://localhost", database) == {}
