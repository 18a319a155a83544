"""What the other tests rest on: a test that commits leaves nothing behind, and workers agree on the names of tests."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection

from cdp.common.access import record_access
from profiles import partitions
from profiles.models import Source
from tests import database
from tests.conftest import pytest_make_parametrize_id as name_of
from tests.consent.factories import person, purpose, say


def state() -> dict[str, Any]:
    """Return everything that a database holds."""
    with connection.cursor() as cursor:
        cursor.execute(database._TABLES)
        tables = tuple(row[0] for row in cursor.fetchall())
        rows = {table: database._rows(cursor, table) for table in database._filled(cursor, tables)}
        cursor.execute(database._SCHEMA)
        return {"rows": rows, "lines": {row[0] for row in cursor.fetchall()}, "at": database._sequences(cursor)}


@pytest.mark.django_db(transaction=True)
def test_rows_sequences_and_append_only_tables_are_put_back() -> None:
    before = state()
    say(person(), purpose(), "given")
    record_access(action="profile.viewed")
    Source.objects.filter(slug="import").delete()
    Group.objects.update(name="x") if Group.objects.count() == 1 else Group.objects.filter(name="Analyst").delete()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE consent_consentrecord, auth_group_permissions")
    assert state() != before
    database.bring_back()
    assert state() == before


@pytest.mark.django_db(transaction=True)
def test_partitions_and_schemas_more_or_less_are_put_back() -> None:
    before = state()
    today = datetime.now(UTC).date()
    partitions.ensure_months([date(2019, 3, 1)])
    partitions.drop_day(today)
    partitions.detach_month(date(today.year, today.month, 1))
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA other; CREATE TABLE other.queue (id int)")
    database.bring_back()
    assert state() == before


@pytest.mark.django_db(transaction=True)
def test_a_schema_that_cannot_be_put_back_is_made_anew() -> None:
    before = state()["lines"]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE profiles_source DROP COLUMN warning")
    database.bring_back()
    assert state()["lines"] == before
    assert Source.objects.filter(slug="import").exists()


@pytest.mark.django_db(transaction=True)
def test_a_session_that_is_left_open_commits_nothing_later() -> None:
    parameters = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
    left = psycopg.connect(**parameters)
    left.execute("INSERT INTO profiles_source (name, slug, kind) SELECT 'x', 'x', kind FROM profiles_source LIMIT 0")
    database.bring_back()
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")


def test_a_name_holds_no_time() -> None:
    old, new = gzip.compress(b"{}", mtime=1), gzip.compress(b"{}", mtime=2)
    assert name_of(old, "body") == name_of(new, "body") == "body-22-bytes"
    assert name_of(b"{}", "body") is None and name_of("{}", "body") is None
