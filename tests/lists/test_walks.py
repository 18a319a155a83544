"""A walk over any list gives every row of its start exactly once, under ties and while others write (invariant 14)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from axes.models import AccessAttempt, AccessFailureLog
from axes.models import AccessLog as LoginLog
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from cdp.common.access import record_access
from cdp.common.models import ApiToken
from cdp.mailbox.store import MailStore
from consent.models import Erasure, LedgerCheck, LedgerSeal
from tests.lists.crowd import CHANGED, DIFFERENT, MOVED, multiply
from tests.lists.places import Place, admin_places, api_places, page_places, walk
from tests.scenarios.installation import user_of
from tests.scenarios.world import make_world

#: rows of one moment; of the API more than a cursor by offset can count (1,000 in Django REST framework)
ROWS = {"api": 1_502, "page": 190, "admin": 190}


def make_rest() -> None:
    """Make the rows that a working installation has and the world of the scenarios has not."""
    now = timezone.now()
    record_access(action="profile.viewed", object_kind="profile", object_id="1")
    ApiToken.issue(user=user_of("Administrator"), name="first")
    LedgerSeal.objects.create(from_id=1, to_id=1, count=1, root="r", prev_hash="p", hash="h", sealed_at=now)
    LedgerCheck.objects.create(whole=False, from_id=1, to_id=1, requested_by="test", phase="done", finished_at=now)
    Erasure.objects.create(profile_id=999_999, actor="test", reason="asked")
    login = {"user_agent": "x", "ip_address": "127.0.0.1", "username": "x", "http_accept": "x", "path_info": "/login/"}
    AccessAttempt.objects.create(**login, get_data="", post_data="", failures_since_start=1)
    LoginLog.objects.create(**login)
    AccessFailureLog.objects.create(**login)
    CrontabSchedule.objects.create(minute="7")
    every = IntervalSchedule.objects.create(every=77, period="seconds")
    ClockedSchedule.objects.create(clocked_time=datetime(2026, 1, 1, tzinfo=UTC))
    SolarSchedule.objects.create(event="sunrise", latitude=-1, longitude=1)
    PeriodicTask.objects.create(name="first", task="x", interval=every)


@pytest.fixture
def world(transactional_db: None, settings: Any, tmp_path: Any, caplog: Any) -> dict[str, Any]:
    """One of everything, committed."""
    caplog.set_level(logging.CRITICAL)
    settings.VAR_DIR = tmp_path
    settings.CAPTURE_MAIL = True
    made = make_world(MailStore(tmp_path / "mailbox"))
    make_rest()
    return made


@pytest.fixture
def other(transactional_db: None) -> Iterator[psycopg.Cursor]:
    """A connection of somebody else, who commits at once."""
    params = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
    with psycopg.connect(**params, autocommit=True) as theirs, theirs.cursor() as cursor:
        yield cursor


@pytest.mark.parametrize("kind", ROWS)
def test_a_walk_gives_every_row_once_while_others_write(
    kind: str, world: dict[str, Any], other: psycopg.Cursor
) -> None:
    places = list({"api": api_places, "page": page_places, "admin": admin_places}[kind](world))
    assert len(places) > 12
    missing = {place.table for place in places} - set(DIFFERENT)
    assert not missing, f"say in tests.lists.crowd how rows of these are multiplied: {missing}"
    numbers = dict.fromkeys({place.table for place in places}, ROWS[kind] + 1)
    multiply("profiles_profile", ROWS[kind] + 100, run=other)
    numbers["profiles_profile"] = ROWS[kind] + 101
    for table in sorted(set(numbers) - {"profiles_profile"}):
        multiply(table, ROWS[kind], run=other)
    faults = []
    for place in places:
        change = (MOVED if kind == "api" else CHANGED).get(place.table)

        def write(place: Place = place, change: str | None = change) -> None:
            multiply(place.table, 3, start=numbers[place.table], run=other)
            numbers[place.table] += 3
            if change:
                some = f"SELECT ctid FROM {place.table} ORDER BY random() LIMIT 40"
                other.execute(f"UPDATE {place.table} SET {change} WHERE ctid IN ({some})")

        start = walk(place, lambda: None)
        found = Counter(walk(place, write))
        if len(start) != len(set(start)) or len(start) < ROWS[kind]:
            faults.append(f"{place.name}: {len(set(start))} different rows among {len(start)}, in a quiet walk")
        repeated = [name for name, times in found.items() if times > 1]
        missed = set(start) - set(found)
        if repeated or missed:
            faults.append(f"{place.name}: {len(repeated)} rows come twice, {len(missed)} never")
    assert not faults, "\n".join(faults)
