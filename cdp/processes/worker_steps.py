"""What every Celery worker of ours does beside its tasks: it watches itself and reports that it is at work.

Boot steps of the application, so that a worker started by hand (`celery -A cdp worker`) has them too.
"""

from __future__ import annotations

import time
from typing import Any

from celery import bootsteps, signals
from celery.worker.consumer.tasks import Tasks
from django.conf import settings

from cdp.common.stopping import stop_requested
from cdp.processes.heartbeat_file import HeartbeatFile
from cdp.processes.kinds import kind_of
from cdp.processes.reporter import Reporter
from cdp.processes.watchdog import Activity, Run, Watchdog, start_activity

#: of this process: a worker has one consumer
activity: Activity = start_activity()


class WatchStep(bootsteps.StartStopStep):
    """Start the watchdog and the reporter with the worker."""

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._file: HeartbeatFile | None = None

    def start(self, worker: Any) -> None:
        """Begin to watch."""
        kinds = tuple(worker.app.amqp.queues.consume_from)
        activity.threads = worker.concurrency
        activity.reconnect()
        signals.task_received.connect(_received)
        signals.task_prerun.connect(_begins)
        signals.task_postrun.connect(_ends)
        signals.worker_shutting_down.connect(_stops)
        self._file = HeartbeatFile(settings.VAR_DIR, "+".join(kinds))
        Watchdog(activity, self._file, max_bytes=settings.WORKER_MAX_MB * 2**20).start()
        Reporter(activity, kinds).start()

    def stop(self, worker: Any) -> None:
        """Take the heartbeat's file away."""
        if self._file is not None:
            self._file.remove()


class LoopStep(bootsteps.StartStopStep):
    """Note each turn of the consumer's loop, whichever of Celery's two loops runs."""

    requires = (Tasks,)

    def start(self, consumer: Any) -> None:
        """Hang on to the loop; called anew for every connection to the broker."""
        activity.reconnect()
        if consumer.hub is not None:
            consumer.hub.on_tick.add(activity.turn)
            return
        pending = type(consumer).perform_pending_operations

        def turn() -> None:
            activity.turn()
            pending(consumer)

        consumer.perform_pending_operations = turn

    def stop(self, consumer: Any) -> None:
        """Note that the connection is gone."""
        activity.reconnect()


def _received(**_signal: Any) -> None:
    activity.hear()


def _begins(task_id: str, task: Any, **_signal: Any) -> None:
    # The tasks of queues say for themselves how long they may take (`cdp.common.queues.Queue.task_seconds`).
    longest = float(task.soft_time_limit or kind_of(task.name).longest)
    activity.runs[task_id] = Run(task.name, time.monotonic(), longest)


def _ends(task_id: str, **_signal: Any) -> None:
    activity.runs.pop(task_id, None)


def _stops(**_signal: Any) -> None:
    activity.stop()
    stop_requested.set()
