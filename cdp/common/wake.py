"""Wake a queue's drain after commit. Wake-ups may be lost: beat wakes every drain again within seconds."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)


def wake(task_name: str) -> None:
    """Ask a worker to run the named drain once the current transaction has committed.

    The task is looked up by name, so that services need not import tasks. A broker that is down is logged and
    otherwise ignored: the rows are in PostgreSQL, which is the queue of record.
    """

    def send() -> None:
        try:
            current_app.tasks[task_name].apply_async(retry=False, ignore_result=True)
        except Exception:
            logger.warning("could not wake %s; beat will", task_name, exc_info=True)

    transaction.on_commit(send)
