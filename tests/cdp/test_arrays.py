"""Array literals: PostgreSQL reads back exactly what was written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp.common.arrays import binaries, bulk_cursor, flags, moments, numbers, texts

anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
moment = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))


def read_back(array: str, kind: str) -> list[Any]:
    with bulk_cursor() as cursor:
        cursor.execute(f"SELECT * FROM unnest(%s::{kind}[])", [array])
        return [value for (value,) in cursor.fetchall()]


@pytest.mark.django_db
@anything
@given(st.lists(st.none() | text | st.sampled_from(["", "NULL", "a,b", "{}", '"', "\\", "\\x00", " ", "\n", "'"])))
def test_texts_come_back(values: list[str | None]) -> None:
    assert read_back(texts(values), "text") == values


@pytest.mark.django_db
@anything
@given(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)), st.lists(st.booleans()), st.lists(moment),
    st.lists(st.binary(max_size=20)),
)  # fmt: skip
def test_other_kinds_come_back(
    whole: list[int | None], truths: list[bool], times: list[datetime], raw: list[bytes]
) -> None:
    assert read_back(numbers(whole), "bigint") == whole
    assert read_back(flags(truths), "bool") == truths
    assert read_back(moments(times), "timestamptz") == times
    assert [bytes(memoryview(value)) for value in read_back(binaries(raw), "bytea")] == raw


@pytest.mark.django_db
def test_the_fast_reading_of_times_stays_with_its_cursor() -> None:
    with bulk_cursor() as cursor:
        cursor.execute("SELECT now()")
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        row = cursor.fetchone()
    assert row is not None
    assert row[0].tzinfo is UTC
