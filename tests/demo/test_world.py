"""The demo's world: the same every time, believable, and nobody's real address."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from demo.behaviour import BACKEND, DAYS, WEB, Call
from demo.people import make_person
from demo.world import SEED, make_world

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)
PEOPLE = 600


@pytest.fixture(scope="module")
def world() -> list[Call]:
    return make_world(now=NOW, people=PEOPLE)


def test_the_same_seed_makes_the_same_world(world: list[Call]) -> None:
    assert make_world(now=NOW, people=PEOPLE) == world
    assert make_world(now=NOW, people=PEOPLE, seed=SEED + 1) != world


def test_on_another_day_nearly_all_messages_have_the_same_ids(world: list[Call]) -> None:
    later = {call.message_id for call in make_world(now=NOW + timedelta(days=40), people=PEOPLE)}
    ids = {call.message_id for call in world}
    assert len(ids & later) > 0.99 * len(ids)


def test_the_full_world_has_the_size_that_was_asked() -> None:
    calls = make_world(now=NOW)
    assert 55_000 < len(calls) < 70_000


def test_times_lie_in_the_thirteen_months_before_now(world: list[Call]) -> None:
    sane = [call for call in world if call.at.year <= NOW.year]
    assert all(NOW - timedelta(days=DAYS + 2) < call.at < NOW for call in sane)
    assert 0 < len(world) - len(sane) < 10, "some clocks are wrong, on purpose"
    assert any(call.at > NOW - timedelta(days=1) for call in sane)


def test_addresses_are_of_domains_that_nobody_has() -> None:
    mails = [make_person(SEED, number, NOW.date()).email for number in range(1, PEOPLE + 1)]
    assert all(mail.endswith(("example.org", ".example")) and mail.isascii() for mail in mails)
    assert len(set(mails)) == PEOPLE


def test_people_visit_before_they_sign_up_and_come_by_several_devices(world: list[Call]) -> None:
    devices: dict[str, set[str]] = defaultdict(set)
    first_named: dict[str, datetime] = {}
    anonymous: dict[str, datetime] = {}
    for call in world:
        if call.source == WEB and call.anonymous_id and call.user_id and call.user_id.startswith("c"):
            devices[call.user_id].add(call.anonymous_id)
            first_named.setdefault(call.anonymous_id, call.at)
        elif call.anonymous_id:
            anonymous.setdefault(call.anonymous_id, call.at)
    assert sum(1 for device, at in first_named.items() if device in anonymous and anonymous[device] < at) > PEOPLE / 3
    assert sum(1 for ids in devices.values() if len(ids) > 1) > PEOPLE / 20


def test_orders_add_up(world: list[Call]) -> None:
    orders = [call.data for call in world if call.name == "Order Completed"]
    assert len({order["order_id"] for order in orders}) == len(orders) > PEOPLE / 2
    for order in orders:
        goods = sum(line["price"] * line["quantity"] for line in order["products"])
        assert order["total"] == pytest.approx(goods - order["discount"] + order["shipping"], abs=0.011)
        assert order["products"]


def test_some_come_back_often_and_most_do_not(world: list[Call]) -> None:
    per_person = Counter(call.user_id for call in world if call.name == "Order Completed")
    assert sum(1 for count in per_person.values() if count == 1) > len(per_person) / 2
    assert max(per_person.values()) >= 5


def test_every_answer_to_a_purpose_occurs_and_only_the_shop_s_server_gives_it(world: list[Call]) -> None:
    answers = [call for call in world if call.name.startswith("Consent ")]
    assert {call.source for call in answers} == {BACKEND}
    assert {call.name for call in answers} == {
        "Consent Given",
        "Consent Refused",
        "Consent Withdrawn",
        "Consent Objected",
    }
