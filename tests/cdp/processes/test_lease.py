"""The lease of beat."""

from __future__ import annotations

import pytest
from django.db import connection

from cdp.common.models import ProcessLease
from cdp.processes.lease import Lease, held_for

pytestmark = pytest.mark.django_db


def let_time_pass(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE common_processlease SET until = clock_timestamp() - interval '1 s' WHERE name = %s", [name]
        )


def test_one_has_it_and_the_other_waits_until_it_is_given_back() -> None:
    first, second = Lease("t"), Lease("t")
    assert first.hold() and not second.hold()
    assert first.hold() and first.fence == 1
    first.release()
    assert not first.holds() and second.hold()
    assert second.fence == 2


def test_a_silent_holder_is_replaced_and_does_not_get_it_back() -> None:
    hung, spare = Lease("t", seconds=30), Lease("t")
    assert hung.hold()
    let_time_pass("t")
    assert spare.hold() and spare.fence == 2
    hung._asked = float("-inf")  # it wakes and asks again
    assert not hung.hold() and not hung.holds()
    assert ProcessLease.objects.get(name="t").holder == spare.holder


def test_a_holder_stops_believing_before_the_database_does() -> None:
    lease = Lease("t", seconds=0.0)
    lease.hold()
    assert not lease.holds()


def test_for_how_long_it_has_been_held() -> None:
    assert held_for("t") is None
    lease = Lease("t")
    lease.hold()
    assert held_for("t") is not None and held_for("t") < 60  # type: ignore[operator]
    lease.release()
    assert held_for("t") is None
