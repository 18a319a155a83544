"""/healthz, /readyz, the page and the doctor."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from cdp.common.models import Heartbeat
from cdp.health import heartbeats, state
from cdp.health.checks import run_checks
from cdp.health.heartbeats import BEAT, EXPECTED, STALE_SECONDS, WORKER_PREFIX, record_heartbeat
from cdp.processes.kinds import NAMES

pytestmark = pytest.mark.django_db


def test_healthz_answers_while_the_database_does(client: Client) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "down": []}


def everybody_beats() -> None:
    for name in EXPECTED:
        record_heartbeat(name)


def test_readyz_names_the_workers_and_beat_that_never_gave_a_sign(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["down"] == [*(WORKER_PREFIX + name for name in NAMES), BEAT]
    assert answer.json()["heartbeats"]["worker:events"] == {"age_seconds": None}


def test_readyz_is_well_when_all_beat(client: Client) -> None:
    everybody_beats()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["down"] == []
    assert answer.json()["heartbeats"]["beat"]["age_seconds"] < STALE_SECONDS
    assert all(queue["depth"] == 0 for queue in answer.json()["queues"].values())


def test_a_sign_that_is_old_counts_as_down(client: Client) -> None:
    everybody_beats()
    old = timezone.now() - timedelta(seconds=STALE_SECONDS + 5)
    Heartbeat.objects.filter(name="worker:imports").update(at=old)
    assert client.get("/readyz").json()["down"] == ["worker:imports"]
    assert STALE_SECONDS < 60, "a worker that is silent for a minute must be seen (F11)"


def test_readyz_sees_a_full_disk(client: Client, settings: Any) -> None:
    everybody_beats()
    settings.COLLECT_MIN_FREE_MB = 10**9
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["down"]) == (503, ["disk"])


def test_readyz_warns_of_a_clock_that_is_wrong(client: Client) -> None:
    everybody_beats()
    assert client.get("/readyz").json()["warnings"] == []
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert abs(heartbeats.clock_skew() + 86_400) < 60
        assert state.read_state().warnings == ["clock"]


def test_readyz_says_so_when_the_tables_are_not_there(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE common_heartbeat RENAME TO common_heartbeat_gone")
    try:
        answer = client.get("/readyz")
    finally:
        connection.needs_rollback = False
    assert answer.status_code == 503
    assert answer.json()["down"] == ["migrations"]


def test_the_page_is_for_administrators(client_as: Callable[[str], Client], client: Client) -> None:
    assert client_as("Administrator").get("/system/health/").status_code == 200
    assert client_as("Marketer").get("/system/health/").status_code == 403
    assert client.get("/system/health/").status_code == 302


def test_the_doctor_names_each_failure_with_its_mend() -> None:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--json", stdout=out)
    told = json.loads(out.getvalue())
    checks = {check["name"]: check for check in told["checks"]}
    assert told["ok"] is False
    assert checks["worker"]["ok"] is False
    assert "manage.py work" in checks["worker"]["fix"]
    assert checks["postgres.durability"]["ok"] is True
    assert checks["migrations"]["ok"] is True


def test_the_doctor_sees_commits_that_do_not_wait_for_the_disk() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
    result = next(result for result in run_checks() if result.name == "postgres.durability")
    assert not result.ok
    assert "synchronous_commit is off" in result.found


def test_the_doctor_sees_a_partition_that_was_not_made_ahead() -> None:
    def partitions() -> tuple[bool, str]:
        result = next(result for result in run_checks() if result.name == "partitions")
        return result.ok, result.found

    assert partitions() == (True, "made ahead")
    name = f"profiles_rawmessage_d{timezone.now() + timedelta(days=3):%Y%m%d}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {name}")
    assert partitions() == (False, f"missing: {name}")
