"""What a tally sees of values: paths, types, frequent values; never too much of a hostile one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.common.masking import is_id_like
from profiles.catalogue.observe import MAX_PATHS, MAX_VALUES, Key, Tally
from profiles.querysets.catalogue import propose

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def tally_of(properties: dict[str, Any], times: int = 1) -> Tally:
    """Return the tally of one event, done so often."""
    tally = Tally(lambda path: path != "email")
    for number in range(times):
        tally.event("Order", properties, at=AT + timedelta(seconds=number), source_id=7)
    return tally


def test_members_of_objects_and_lines_of_lists_have_paths() -> None:
    tally = tally_of(
        {"total": 3, "address": {"city": "Utrecht"}, "products": [{"sku": "a"}, {"sku": 1}], "tags": ["x"]}
    )
    seen = {key.path: dict(entry.types) for key, entry in tally.entries.items() if key.path}
    assert seen == {
        "total": {"number": 1},
        "address": {"object": 1},
        "address.city": {"text": 1},
        "products": {"list": 1},
        "products[].sku": {"text": 1, "number": 1},
        "tags": {"list": 1},
        "tags[]": {"text": 1},
    }
    assert tally.entries[Key("event", "Order", "")].count == 1


def test_times_sources_and_values_are_counted() -> None:
    entry = tally_of({"city": "Utrecht"}, times=3).entries[Key("property", "Order", "city")]
    assert (entry.count, entry.values, entry.sources) == (3, {"Utrecht": 3}, {7})
    assert (entry.first, entry.last) == (AT, AT + timedelta(seconds=2))


def test_personal_values_are_not_kept() -> None:
    assert tally_of({"email": "a@shop.nl"}).entries[Key("property", "Order", "email")].values is None


@pytest.mark.parametrize(
    "name", ["id", "order_id", "orderId", "userID", "url", "page_url", "sessionToken", "lines[].id"]
)
def test_ids_are_no_values_to_choose_from(name: str) -> None:
    assert is_id_like(name)


@pytest.mark.parametrize("name", ["paid", "city", "avoid", "bid", "colour", "lines[].category"])
def test_words_that_end_like_ids_are_none(name: str) -> None:
    assert not is_id_like(name)


def test_a_trait_that_comes_and_goes_counts_people() -> None:
    tally = Tally(lambda path: True)
    tally.trait("plan", None, "pro", at=AT, source_id=1)
    tally.trait("plan", None, "free", at=AT, source_id=1)
    tally.trait("plan", "pro", "free", at=AT, source_id=1)
    tally.trait("plan", "free", None, at=AT, source_id=1)
    assert tally.people["plan"] == 1 and tally.entries[Key("trait", "", "plan")].count == 3


def test_a_hostile_object_has_bounded_paths_and_values() -> None:
    tally = tally_of({str(number): {"x": {"y": {"z": {"w": 1}}}} for number in range(1000)})
    assert len(tally.entries) <= MAX_PATHS + 1
    values = Tally(lambda path: True)
    for number in range(1000):
        values.event("E", {"v": str(number)}, at=AT, source_id=None)
    counted = values.entries[Key("property", "E", "v")].values
    assert counted is not None and len(counted) == MAX_VALUES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=30,
)


@given(properties=st.dictionaries(st.text(max_size=8), JSON, max_size=6))
def test_any_json_can_be_observed_and_added(properties: dict[str, Any]) -> None:
    tally = tally_of(properties)
    tally.add(tally_of(properties, times=2))
    assert tally.entries[Key("event", "Order", "")].count == 3


@pytest.mark.parametrize(
    ("asked", "known", "first"),
    [
        ("products.category", ["total", "products", "products[].category"], "products[].category"),
        ("Country", ["city", "country"], "country"),
        ("contry", ["city", "country"], "country"),
        ("firstname", ["first_name", "last_name"], "first_name"),
        ("sku", ["total", "products[].sku"], "products[].sku"),
    ],
)
def test_an_unknown_name_is_answered_with_the_likeliest_known_one(asked: str, known: list[str], first: str) -> None:
    assert propose(asked, known)[0] == first


def test_nothing_like_it_means_no_proposal() -> None:
    assert propose("zzz", ["city", "country"]) == []
