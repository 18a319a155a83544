"""The drains and the upkeep as Celery runs them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from profiles import partitions
from profiles.models import InboxEntry, Interaction
from profiles.tasks import _SLOT_LOCK, MAX_DRAINS, maintain_partitions, process_inbox
from tests.profiles.processing.inbox import put, source, track


@pytest.mark.django_db
def test_the_drain_empties_the_inbox() -> None:
    put(source(), [track("m1", userId="u1"), track("m2", userId="u2")])
    assert process_inbox() == 2
    assert Interaction.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_no_more_drains_run_at_once_than_allowed() -> None:
    put(source(), [track("m1", userId="u1")])
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        for number in range(MAX_DRAINS):
            other.execute("SELECT pg_advisory_lock(%s, %s)", [_SLOT_LOCK, number])
        assert process_inbox() == 0
        assert InboxEntry.objects.count() == 1
        # Given back before the connection closes: the server ends a closed one a moment later.
        other.execute("SELECT pg_advisory_unlock_all()")
    assert process_inbox() == 1


@pytest.mark.django_db
def test_upkeep_makes_partitions_ahead_and_drops_old_days_that_are_done() -> None:
    today = datetime.now(UTC).date()
    old, waiting = today - timedelta(days=60), today - timedelta(days=50)
    partitions.ensure_days([old, waiting])
    put(source(), [track("m1", userId="u1")], at=datetime(waiting.year, waiting.month, waiting.day, 12, tzinfo=UTC))
    maintain_partitions()
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE 'profiles\\_rawmessage\\_d%'")
        names = {name for (name,) in cursor.fetchall()}
    assert f"profiles_rawmessage_d{old:%Y%m%d}" not in names
    assert f"profiles_rawmessage_d{waiting:%Y%m%d}" in names
    assert f"profiles_rawmessage_d{today + timedelta(days=7):%Y%m%d}" in names
    month = date(today.year, today.month, 1)
    assert {partitions.add_months(month, step) for step in range(-14, 3)} <= partitions.interaction_months()
