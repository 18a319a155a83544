"""Partitions come and go while others read and write: nobody waits, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from profiles import partitions
from profiles.models import Interaction, RejectedMessage
from profiles.processing import drain
from profiles.processing.drain import drain_inbox
from profiles.tasks import maintain_partitions
from tests.profiles.processing.inbox import put, source, track

OLD_MONTH = date(2019, 3, 1)
TODAY = datetime.now(UTC).date()
OLD_DAY = TODAY - timedelta(days=90)
#: fails at once where it would have to wait for a lock
IMPATIENT = "SET lock_timeout = '300ms'"
INSERT = (
    "INSERT INTO profiles_interaction (profile_id, identifier_id, occurred_at, received_at, kind, name, source_id,"
    " message_id) VALUES (%s, 1, %s, now(), 'track', 'Seen', 1, 'm')"
)


@contextmanager
def session() -> Iterator[psycopg.Connection[Any]]:
    """Open another session that refuses to wait; closed, and so rolled back, at the end."""
    parameters = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
    with psycopg.connect(**parameters) as other:
        other.execute(IMPATIENT)
        other.commit()
        yield other
        other.rollback()


def exists(name: str) -> bool:
    """Tell whether a table is there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_making_a_partition_waits_for_nobody_and_nobody_waits_for_it() -> None:
    with session() as reader, session() as writer:
        reader.execute("SELECT count(*) FROM profiles_interaction")  # a reading transaction stays open
        writer.execute(INSERT, [1, datetime.now(UTC)])  # and a writing one
        assert partitions.ensure_months([OLD_MONTH]) == 1
        reader.execute("SELECT count(*) FROM profiles_interaction")
        writer.execute(INSERT, [2, datetime(2019, 3, 9, tzinfo=UTC)])
        writer.commit()
    assert Interaction.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_making_a_partition_that_is_not_committed_yet_shuts_nobody_out() -> None:
    with session() as maker, session() as reader, session() as writer:
        maker.execute("SELECT profiles_make_partition('profiles_interaction', 'profiles_interaction_y2019m03',"
                      " '2019-03-01', '2019-04-01')")  # fmt: skip
        reader.execute("SELECT count(*) FROM profiles_interaction")
        writer.execute(INSERT, [1, datetime.now(UTC)])


@pytest.mark.django_db(transaction=True)
def test_dropping_a_day_that_somebody_reads_gives_way_and_goes_on_later() -> None:
    partitions.ensure_days([OLD_DAY])
    name = partitions.day_name(OLD_DAY)
    with session() as reader:
        reader.execute("SELECT count(*) FROM profiles_rawmessage")
        with pytest.raises(partitions.Busy):
            partitions.drop_day(OLD_DAY)
        with session() as other:  # while the day waits to be let go of, the table is open to everybody
            other.execute("SELECT count(*) FROM profiles_rawmessage")
            columns = "(received_at, source_id, endpoint, body)"
            other.execute(f"INSERT INTO profiles_rawmessage {columns} VALUES (now(), 1, 'batch', '')")
            other.commit()
        reader.execute("SELECT count(*) FROM profiles_rawmessage")
    assert partitions.drop_day(OLD_DAY) == 0
    assert not exists(name)


@pytest.mark.django_db(transaction=True)
def test_a_day_that_was_let_go_of_but_not_dropped_is_found_again() -> None:
    partitions.ensure_days([OLD_DAY])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE profiles_rawmessage DETACH PARTITION {partitions.day_name(OLD_DAY)} CONCURRENTLY")
    assert OLD_DAY in partitions.old_days(before=TODAY - timedelta(days=30))
    assert partitions.drop_day(OLD_DAY) == 0
    assert not exists(partitions.day_name(OLD_DAY))


@pytest.mark.django_db(transaction=True)
def test_a_detached_table_does_not_keep_its_month_from_being_made_again() -> None:
    partitions.ensure_months([OLD_MONTH])
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE profiles_interaction DETACH PARTITION profiles_interaction_y2019m03 CONCURRENTLY")
    assert partitions.ensure_months([OLD_MONTH]) == 1
    assert OLD_MONTH in partitions.interaction_months()


@pytest.mark.django_db(transaction=True)
def test_the_drain_and_the_makers_and_droppers_of_partitions_do_not_hold_each_other_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drain, "MAX_BLOCK_ROWS", 2)
    origin = source()
    months = [partitions.add_months(OLD_MONTH, step) for step in range(12)]
    for number, month in enumerate(months):
        when = datetime(month.year, month.month, 15, tzinfo=UTC).isoformat()
        put(origin, [{**track(f"m{number}-{part}", userId=f"u{part}"), "timestamp": when} for part in range(20)])
    failures: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            connections.close_all()

    def come_and_go() -> None:
        for step in range(8):
            day = OLD_DAY - timedelta(days=step)
            partitions.ensure_days([day])
            partitions.ensure_months(months[::-1])
            with suppress(partitions.Busy):
                partitions.drop_day(day)

    jobs = [lambda: drain_inbox(seconds=30)] * 2 + [come_and_go] * 2
    threads = [threading.Thread(target=run, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert Interaction.objects.count() == 240
    assert not RejectedMessage.objects.exists()


@pytest.mark.django_db
def test_what_happened_before_all_months_has_one_place() -> None:
    assert partitions.wanted_months({date(1999, 5, 1)}) == set()
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [1, datetime(1999, 5, 3, tzinfo=UTC)])
    assert Interaction.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_upkeep_makes_partitions_ahead() -> None:
    maintain_partitions()
    month = date(TODAY.year, TODAY.month, 1)
    wanted = {partitions.add_months(month, step) for step in range(-14, partitions.MONTHS_AHEAD + 1)}
    assert wanted <= partitions.interaction_months()
    assert exists(partitions.day_name(TODAY + timedelta(days=partitions.DAYS_AHEAD)))
