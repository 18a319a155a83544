"""The broker on our own PostgreSQL: wake-ups do not pile up, and failing acknowledgements do not make a worker deaf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from kombu import Connection, Consumer, Producer, Queue

from cdp.broker.channel import Transport, register
from cdp.broker.options import transport_options
from cdp.broker.transport import install_broker

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = "events"


@pytest.fixture
def broker(settings: Any) -> Iterator[Connection]:
    settings.CELERY_BROKER_URL = "pgmq://"
    install_broker()
    register()
    options = {**transport_options("pgmq://", connection.settings_dict), "wait_time_seconds": 0}
    with Connection("pgmq://", transport_options=options) as broker:
        yield broker
        client: Any = broker.transport
        client._get_pgmq_client().close()


def send(broker: Connection, task: str = "profiles.process_inbox", arguments: str = "()") -> None:
    headers = {"task": task, "argsrepr": arguments, "kwargsrepr": "{}"}
    Producer(broker.default_channel).publish({}, headers=headers, routing_key=QUEUE, serializer="json")


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM pgmq.q_{QUEUE} WHERE vt <= clock_timestamp()")
        return int(cursor.fetchone()[0])


def drain(broker: Connection, seconds: float = 0.3) -> None:
    try:
        while True:
            broker.drain_events(timeout=seconds)
    except TimeoutError:
        return


def test_waiting_wake_ups_of_one_task_are_one(broker: Connection) -> None:
    assert isinstance(broker.transport, Transport)
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue_name FROM pgmq.list_queues()")
        assert {queue.name for queue in settings.CELERY_TASK_QUEUES} == {row[0] for row in cursor.fetchall()}
    for _time in range(5):
        send(broker)
    assert waiting() == 1
    send(broker, "another.task")
    send(broker, arguments="(1,)")
    send(broker, arguments="(1,)")
    assert waiting() == 4
    taken: list[Any] = []
    with Consumer(broker.default_channel, [Queue(QUEUE)], on_message=taken.append):
        drain(broker)
        assert len(taken) == 4 and waiting() == 0
        send(broker)
        assert waiting() == 1, "one that was taken does not stand for the next"


def test_failing_acknowledgements_do_not_make_a_worker_deaf(broker: Connection) -> None:
    for how, broken in (("ack", "delete"), ("reject", "delete"), ("requeue", "set_vt")):
        taken: list[Any] = []
        channel: Any = broker.channel()
        channel.basic_qos(prefetch_count=4)
        with Consumer(channel, [Queue(QUEUE)], on_message=taken.append):
            for number in range(4):
                send(broker, f"{how}.{number}")
            drain(broker)
            assert len(taken) == 4
            rename(broken, f"{broken}_away")
            for message in taken:
                with pytest.raises(Exception, match="does not exist"):
                    getattr(message, how)()
            rename(f"{broken}_away", broken)
            send(broker, f"{how}.after")
            drain(broker)
        assert len(taken) == 5, "four failed acknowledgements took all places"
        taken[-1].ack()
        channel.close()


def rename(function: str, to: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND proname = %s",
            [function],
        )
        for (signature,) in cursor.fetchall():
            cursor.execute(f"ALTER FUNCTION {signature} RENAME TO {to}")
