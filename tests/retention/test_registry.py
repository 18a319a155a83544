"""Nothing grows without end: every table and every folder has a class of retention, or a reason to have none."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch

import pytest
from django.conf import settings
from django.db import connection

from cdp.common.retention import GROUPS, kept_data, retention


def holds() -> list[str]:
    """Return what all classes together hold."""
    return [name for data in [*retention, *kept_data] for name in data.holds]


def unnamed(found: Iterable[str]) -> list[str]:
    """Return what no class holds."""
    patterns = holds()
    return sorted(name for name in found if not any(fnmatch(name, pattern) for pattern in patterns))


@pytest.mark.django_db
def test_every_table_has_a_class() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN n.nspname = 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast|^pg_temp'"
        )
        tables = {row[0] for row in cursor.fetchall()}
    assert len(tables) > 50
    assert not unnamed(tables)


@pytest.mark.django_db
def test_every_file_below_the_folder_of_data_has_a_class() -> None:
    found = {f"var:{path.name}" for path in settings.VAR_DIR.iterdir()}
    assert found
    assert not unnamed(found)


@pytest.mark.django_db
def test_every_table_that_is_named_exists() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')")
        tables = {row[0] for row in cursor.fetchall()}
    gone = [name for name in holds() if not name.startswith(("var:", "pgmq")) and "*" not in name]
    assert [name for name in gone if name not in tables] == []


def test_every_class_is_explained_and_its_default_lies_within_its_limits() -> None:
    for name, data in retention.items():
        assert data.group in GROUPS and data.label and data.what and data.remains, name
        if data.default_days is None:
            assert data.may_keep or data.own_periods, name
        else:
            assert data.minimum_days <= data.default_days <= data.maximum_days, name
        if data.at_most:
            other = retention.get(data.at_most)
            assert other.default_days is None or (data.default_days or 0) <= other.default_days, name
    for name, kept in kept_data.items():
        assert kept.group in GROUPS and kept.label and kept.why, name
