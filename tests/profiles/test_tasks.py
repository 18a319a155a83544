"""The drains and the upkeep as Celery runs them."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from profiles.models import InboxEntry, Interaction
from profiles.tasks import _SLOT_LOCK, MAX_DRAINS, process_inbox
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
