"""Pages by key show every row once, in order, forwards and backwards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cdp.common.keyset import Cursor, keyset_page
from profiles.models import Profile
from tests.profiles.factories import make_profile


def make_people(count: int) -> None:
    """Make people of whom several were seen at the same moment."""
    now = timezone.now()
    for index in range(count):
        make_profile(name=f"P{index:03}", last_seen_at=now - timedelta(hours=index // 4))


def walk(size: int, *, descending: bool) -> tuple[list[list[int]], list[list[int]]]:
    """Return the pages going forwards, then those going back again from the last."""
    forwards, backwards = [], []
    cursor = None
    while True:
        page = keyset_page(
            Profile.objects.all(), sort="last_seen_at", descending=descending, key="id", cursor=cursor, size=size
        )
        forwards.append([row.pk for row in page.rows])
        if not page.older:
            break
        cursor = Cursor.decode(page.older)
    while page.newer:
        page = keyset_page(
            Profile.objects.all(),
            sort="last_seen_at",
            descending=descending,
            key="id",
            cursor=Cursor.decode(page.newer),
            size=size,
        )
        backwards.append([row.pk for row in page.rows])
    return forwards, backwards


@pytest.mark.django_db
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("size", [3, 7, 23])
def test_every_row_comes_once_even_where_values_are_equal(size: int, descending: bool) -> None:
    make_people(23)
    forwards, backwards = walk(size, descending=descending)
    sign = "-" if descending else ""
    expected = list(Profile.objects.order_by(f"{sign}last_seen_at", f"{sign}id").values_list("pk", flat=True))
    assert [pk for page in forwards for pk in page] == expected
    assert backwards == forwards[:-1][::-1]


@pytest.mark.django_db
def test_rows_that_arrive_meanwhile_move_nothing() -> None:
    make_people(10)
    first = keyset_page(Profile.objects.all(), sort="last_seen_at", descending=True, key="id", cursor=None, size=4)
    make_profile(name="Newcomer", last_seen_at=timezone.now() + timedelta(hours=1))
    second = keyset_page(
        Profile.objects.all(),
        sort="last_seen_at",
        descending=True,
        key="id",
        cursor=Cursor.decode(first.older),
        size=4,
    )
    assert not {row.pk for row in first.rows} & {row.pk for row in second.rows}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    ["", "x", "!!!!", "W10", "bnVsbA", Cursor("not a time", 3).encode(), Cursor("2026-01-01T00:00:00Z", "y").encode()],
)
def test_a_broken_cursor_begins_at_the_start(text: str) -> None:
    make_people(3)
    page = keyset_page(
        Profile.objects.all(), sort="last_seen_at", descending=True, key="id", cursor=Cursor.decode(text), size=10
    )
    assert len(page.rows) == 3


@pytest.mark.django_db
def test_a_cursor_out_of_range_is_refused_quietly() -> None:
    make_people(2)
    cursor = Cursor.decode(Cursor("2026-01-01T00:00:00Z", 2**80).encode())
    assert (
        len(
            keyset_page(
                Profile.objects.all(), sort="last_seen_at", descending=True, key="id", cursor=cursor, size=9
            ).rows
        )
        == 2
    )


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader_of_cursors(text: str) -> None:
    cursor = Cursor.decode(text)
    assert cursor is None or isinstance(cursor, Cursor)
