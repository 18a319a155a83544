"""What beat wakes."""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import OperationalError, connection

from consent.services.erasing import go_on_with_erasures
from consent.services.sealing import seal_ledger, verify_ledger
from consent.services.states import forget_states_of_nobody

logger = logging.getLogger(__name__)


@shared_task(name="consent.seal_ledger")
def seal() -> None:
    """Seal what is new and verify the whole ledger; a break is logged and shown on the privacy desk."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '240s'")
    try:
        try:
            seal_ledger()
        except OperationalError:
            logger.warning("the ledger was busy; it is sealed at the next beat")
            return
        forget_states_of_nobody()
        problems = verify_ledger()
    finally:
        connection.close()  # the longer timeout stays with this connection only
    for problem in problems[:20]:
        logger.error("consent ledger: %s: %s", problem.place, problem.message)


@shared_task(name="consent.finish_erasures")
def finish_erasures() -> int:
    """Go on with erasures that a killed process, or too much work, left without an end."""
    return go_on_with_erasures()
