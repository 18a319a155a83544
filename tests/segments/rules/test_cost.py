"""A rule's cost is known, and bounded, before it runs; its memory too, whatever joins it has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from cdp.common.turns import taking_turn
from segments import services
from segments.catalog_loader import known_catalog
from segments.rules.check import MAX_COST, check, cost_of
from segments.rules.errors import RuleError
from segments.rules.parse import parse
from segments.rules.sql import work_memory
from segments.services.previews import MOST_MB, TOGETHER_MB
from tests.segments.factories import happened, person, rule, segment, trait

HOSTILE_EVENTS, HOSTILE_WHERE = 99, 9


@contextmanager
def held(what: str, users: list[Any]) -> Iterator[None]:
    """Let others hold a turn each, in connections of their own."""
    inside, go = threading.Barrier(len(users) + 1), threading.Event()

    def hold(user: Any) -> None:
        with taking_turn(what, user):
            inside.wait(10)
            go.wait(30)
        connection.close()

    threads = [threading.Thread(target=hold, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    inside.wait(10)
    try:
        yield
    finally:
        go.set()
        for thread in threads:
            thread.join(30)


def event(times: int, where: int, name: str = "Order Completed") -> dict[str, Any]:
    """Return a condition on an event with conditions of its own; no two are equal."""
    inner = [trait("total", "is_not", times * 100 + number) for number in range(where)]
    return {
        "type": "event", "name": name, "count": "at_least", "times": times, "window": {"kind": "ever"},
        "where": [{key: value for key, value in item.items() if key != "type"} for item in inner],
    }  # fmt: skip


def many(events: int, where: int) -> dict[str, Any]:
    """Return a rule of so many events with so many conditions each."""
    return rule({"type": "any", "children": [event(number + 1, where) for number in range(events)]})


@pytest.mark.parametrize(
    ("data", "cost"),
    [
        (rule({"type": "everyone"}), 1),
        (rule(trait("city", "is", "Ede")), 1),
        (rule(trait("city", "one_of", [f"city {number}" for number in range(350)])), 4),
        (many(1, 0), 5),
        (many(3, 2), 19),
        (many(HOSTILE_EVENTS, HOSTILE_WHERE), 1 + HOSTILE_EVENTS * (4 + HOSTILE_WHERE)),
    ],
)
def test_what_a_rule_costs(data: dict[str, Any], cost: int) -> None:
    assert cost_of(parse(data)) == cost


@pytest.mark.django_db
def test_a_rule_that_costs_too_much_is_refused_before_it_runs(client_as: Callable[[str], Client]) -> None:
    happened(person(), "Order Completed", total=5)
    hostile = many(HOSTILE_EVENTS, HOSTILE_WHERE)
    with pytest.raises(RuleError) as refused:
        check(parse(hostile), known_catalog())
    assert [problem.code for problem in refused.value.problems] == ["too_costly"]
    client = client_as("Marketer")
    answer = client.post("/api/v1/segments/preview/", {"rule": hostile}, content_type="application/json")
    assert answer.status_code == 400 and answer.json()["code"] == "segment.rule_invalid"
    check(parse(many(40, 3)), known_catalog())
    assert cost_of(parse(many(40, 3))) <= MAX_COST


@pytest.mark.django_db
def test_what_a_rule_builds_on_counts_too() -> None:
    happened(person(), "Order Completed", total=5)
    made = [segment(f"Part {number}", many(30, 2)["include"]) for number in range(2)]
    both = rule({"type": "any", "children": [{"type": "member", "segment": one.pk} for one in made]})
    with pytest.raises(RuleError) as refused:
        check(parse(both), known_catalog())
    assert refused.value.problems[0].code == "too_costly"


@pytest.mark.parametrize("joins", [0, 1, 3, 10, 40, 75])
def test_the_joins_of_a_query_share_its_memory(joins: int) -> None:
    each = int(work_memory("LEFT JOIN x " * joins, most=MOST_MB, together=TOGETHER_MB).removesuffix("MB"))
    assert 4 <= each <= MOST_MB
    assert each * max(joins, 1) <= max(TOGETHER_MB, 4 * joins) <= 300


@pytest.mark.django_db(transaction=True)
def test_a_preview_takes_its_turn(client_as: Callable[[str], Client]) -> None:
    person()
    client, body = client_as("Marketer"), {"rule": rule({"type": "everyone"})}
    path = "/api/v1/segments/preview/"
    assert client.post(path, body, content_type="application/json").status_code == 200
    with held(services.TURN, [SimpleNamespace(pk=-1), SimpleNamespace(pk=-2)]):
        answer = client.post(path, body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert client.post(path, body, content_type="application/json").status_code == 200
