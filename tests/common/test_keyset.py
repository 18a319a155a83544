"""Pages by key show every row once, in order, forwards and backwards, whatever the order and whoever writes."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.signing import b64_encode
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import Delivery
from cdp.common.keyset import CursorInvalid, Order, keyset_page
from profiles.models import Profile
from tests.profiles.factories import make_profile

pytestmark = pytest.mark.django_db
SEEN = Order.of(Profile, "-last_seen_at")


def walk(rows: QuerySet[Any], order: Order, size: int) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return the pages going forwards, then those going back again from the last."""
    page = keyset_page(rows, order=order, cursor="", size=size)
    forwards, backwards = [page.rows], []
    while page.next:
        page = keyset_page(rows, order=order, cursor=page.next, size=size)
        forwards.append(page.rows)
    while page.previous:
        page = keyset_page(rows, order=order, cursor=page.previous, size=size)
        backwards.append(page.rows)
    return [ids(page) for page in forwards], [ids(page) for page in backwards]


def ids(rows: Iterable[Any]) -> list[Any]:
    return [row.pk for row in rows]


def make_people(count: int) -> list[Profile]:
    """Make people of whom several were seen at the same moment."""
    now = timezone.now()
    return [make_profile(name=f"P{i:03}", last_seen_at=now - timedelta(hours=i // 4)) for i in range(count)]


@pytest.mark.parametrize("columns", [["-last_seen_at"], ["last_seen_at"], ["-last_seen_at", "uuid"], [], ["id"]])
@pytest.mark.parametrize("size", [1, 7, 23])
def test_every_row_comes_once_even_where_values_are_equal(size: int, columns: list[str]) -> None:
    make_people(23)
    order = Order.of(Profile, *columns)
    forwards, backwards = walk(Profile.objects.all(), order, size)
    assert [pk for page in forwards for pk in page] == ids(Profile.objects.order_by(*order.columns))
    assert backwards == forwards[:-1][::-1]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nulls_and_mixed_directions_agree_with_the_database(data: st.DataObject) -> None:
    Profile.objects.all().delete()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    moments = st.none() | st.integers(0, 2).map(lambda days: now + timedelta(days=days))
    drawn = data.draw(st.lists(st.tuples(moments, moments, st.sampled_from(["", "a", "B"])), max_size=14))
    Profile.objects.bulk_create(
        Profile(restricted_at=one, erased_at=other, display_name=name, first_seen_at=now, last_seen_at=now)
        for one, other, name in drawn
    )
    names = data.draw(st.permutations(["restricted_at", "erased_at", "display_name", "id"]))
    columns = [f"{data.draw(st.sampled_from(['', '-']))}{name}" for name in names[: data.draw(st.integers(1, 4))]]
    order = Order.of(Profile, *columns, personal=["display_name"])
    forwards, backwards = walk(Profile.objects.all(), order, data.draw(st.integers(1, 5)))
    assert [pk for page in forwards for pk in page] == ids(Profile.objects.order_by(*order.columns))
    assert backwards == forwards[:-1][::-1]


def test_a_composite_key_ends_an_order() -> None:
    order = Order.of(Delivery, "-campaign_id")
    assert order.columns == ["-campaign_id", "-profile_id", "-occurrence"] and order.uniform


def test_many_equal_values_are_sought_and_not_passed_over() -> None:
    order = Order.of(Profile, "-first_seen_at")
    make_people(9)
    page = keyset_page(Profile.objects.all(), order=order, cursor="", size=4)

    with CaptureQueriesContext(connection) as queries:
        keyset_page(Profile.objects.all(), order=order, cursor=page.next, size=4)
    assert '("profiles_profile"."first_seen_at", "profiles_profile"."id") <' in queries[0]["sql"]


def test_rows_that_come_and_go_meanwhile_move_nothing() -> None:
    people = make_people(10)
    first = keyset_page(Profile.objects.all(), order=SEEN, cursor="", size=4)
    make_profile(name="Newcomer", last_seen_at=timezone.now() + timedelta(hours=1))
    Profile.objects.filter(pk=first.rows[-1].pk).delete()
    second = keyset_page(Profile.objects.all(), order=SEEN, cursor=first.next, size=4)
    assert ids(second.rows) == ids(Profile.objects.filter(pk__in=ids(people)).order_by(*SEEN.columns))[3:7]


def test_a_cursor_holds_no_name_and_follows_it() -> None:
    for name in ("Anna", "Bert", "Cato", "Dirk"):
        make_profile(name=name)
    order = Order.of(Profile, "display_name", personal=["display_name"])
    page = keyset_page(Profile.objects.all(), order=order, cursor="", size=2)
    body = page.next.split(".")[0]
    assert b"Bert" not in base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    after = keyset_page(Profile.objects.all(), order=order, cursor=page.next, size=2)
    assert [row.display_name for row in after.rows] == ["Cato", "Dirk"]
    Profile.objects.filter(display_name="Bert").delete()
    with pytest.raises(CursorInvalid):
        keyset_page(Profile.objects.all(), order=order, cursor=page.next, size=2)


UNSIGNED = b64_encode(json.dumps([1, 2, False]).encode()).decode()


@pytest.mark.parametrize("text", ["x", "!!!!", "W10", "W10.abc", "é.é", "\x00.", "." * 3000, UNSIGNED])
def test_what_is_no_cursor_of_ours_is_refused(text: str) -> None:
    make_people(3)
    with pytest.raises(CursorInvalid) as refused:
        keyset_page(Profile.objects.all(), order=SEEN, cursor=text, size=10)
    assert (refused.value.code, refused.value.status) == ("cursor_invalid", 400)


def test_a_cursor_serves_its_own_list_and_order_only() -> None:
    make_people(5)
    page = keyset_page(Profile.objects.all(), order=SEEN, cursor="", size=2)
    for other in (Order.of(Profile, "last_seen_at"), Order.of(Profile, "-first_seen_at")):
        with pytest.raises(CursorInvalid):
            keyset_page(Profile.objects.all(), order=other, cursor=page.next, size=2)
    with pytest.raises(CursorInvalid):
        keyset_page(Profile.objects.all(), order=SEEN, cursor=page.next[:-1] + "x", size=2)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader_of_cursors(text: str) -> None:
    with contextlib.suppress(CursorInvalid):
        keyset_page(Profile.objects.none(), order=SEEN, cursor=text, size=2)
