"""The project's own data: the log that nobody may shorten, captured mail, sessions, the database's log."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.sessions.models import Session
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from cdp.common.access import record_access
from cdp.common.models import ACCESS_LOG_DAYS
from cdp.common.models import AccessLog as Access
from cdp.common.retention import Step, retention
from cdp.mailbox.store import MailStore
from cdp.retention import own

NOW = timezone.now()


def old_access(days: int) -> int:
    """Note an access that happened so many days ago."""
    return Access.objects.create(action="profile.viewed", at=NOW - timedelta(days=days)).pk


@pytest.mark.django_db
def test_the_access_log_lets_old_entries_go_and_the_database_keeps_the_young() -> None:
    record_access(action="profile.viewed")
    kept, gone = old_access(ACCESS_LOG_DAYS - 1), old_access(900)
    log = retention.get("access_log")
    assert log.minimum_days > ACCESS_LOG_DAYS
    assert log.survey(NOW - timedelta(days=730)).waiting == 1
    assert log.remove(NOW - timedelta(days=730), 10, {}) == Step(1)
    assert not Access.objects.filter(pk=gone).exists()
    with pytest.raises(ProgrammingError, match="Cannot delete"), transaction.atomic():
        Access.objects.filter(pk=kept).delete()
    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        Access.objects.filter(pk=kept).update(action="")
    assert Access.objects.count() == 2


@pytest.mark.django_db
def test_sessions_and_log_ins_go_after_their_time() -> None:
    for number, days in enumerate((-1, 0.5, 3)):
        Session.objects.create(session_key=f"k{number}", expire_date=NOW - timedelta(days=days))
    assert retention.get("sessions").remove(NOW - timedelta(days=1), 10, {}).removed == 1
    assert Session.objects.count() == 2
    for model, fields in ((AccessLog, {}), (AccessAttempt, {"failures_since_start": 1})):
        row: Any = model.objects.create(username="anna", ip_address="192.0.2.1", **fields)
        model.objects.filter(pk=row.pk).update(attempt_time=NOW - timedelta(days=100))
    logins = retention.get("logins")
    assert logins.survey(NOW - timedelta(days=90)).waiting == 2
    assert [logins.remove(NOW - timedelta(days=90), 1, {}).removed for _turn in range(3)] == [1, 1, 0]


def test_captured_mail_goes_after_its_time(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    box = MailStore(tmp_path / "mailbox")
    name = box.add(sender="a@shop.example", recipients=["b@shop.example"], content=b"Subject: x\r\n\r\n")
    old = f"{int((NOW - timedelta(days=40)).timestamp() * 1e9):019d}-000001-c@shop.example.eml"
    (box.folder / old).write_bytes(b"old")
    (box.folder / f"{old}.part").write_bytes(b"a writer that was killed")
    before = NOW - timedelta(days=30)
    assert own.survey_mail(before).waiting == 2
    assert own.remove_mail(before, 1, {}) == Step(1, {})
    assert own.remove_mail(before, 5, {}) == Step(1)
    assert [mail.name for mail in box.newest()] == [name]
    assert own.survey_mail(before).waiting == 0


def test_the_log_of_the_database_is_cut_while_the_server_writes_on(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    (tmp_path / "postgres").mkdir()
    log = tmp_path / "postgres" / "server.log"
    with log.open("ab") as server:
        server.write(b"x" * (own.LOG_BYTES + 1))
        server.flush()
        before = NOW - timedelta(days=30)
        assert own.rotate_log(before, 1, {}) == Step(1)
        server.write(b"after")
        server.flush()
    assert log.read_bytes() == b"after"
    older = tmp_path / "postgres" / "server.log.1"
    assert older.stat().st_size == own.LOG_BYTES + 1
    assert own.rotate_log(before, 1, {}) == Step(0)
    os.utime(older, (0, 0))
    assert own.survey_log(before).oldest == datetime(1970, 1, 1, tzinfo=UTC)
    assert own.rotate_log(before, 1, {}) == Step(1)
    assert not older.exists()


@pytest.mark.django_db
def test_the_log_ins_of_the_library_have_no_table_that_is_not_looked_at() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM axes_accessattemptexpiration")
        assert cursor.fetchone() == (0,)  # not in use: see AXES settings
