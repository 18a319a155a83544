"""D11: texts are compared in one way by every comparison, dates by the business day; in SQL as in memory."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from segments.catalog_loader import known_catalog, load_person
from segments.membership import refresh_segment
from segments.rules.days import day_of, day_sql, is_day_sql
from segments.rules.errors import RuleError
from segments.rules.evaluate import meets
from segments.rules.explain import explain
from segments.rules.folding import FUNCTION, fold, fold_sql
from segments.rules.nodes import Moment
from segments.rules.parse import parse
from segments.rules.sliding_windows import moving_edges
from segments.rules.sql import members_sql
from segments.services import create_segment
from segments.sweeping import crossed
from tests.segments.factories import happened, members, person

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WITH_DATABASE = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))


def asked(sql: str, *params: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}", params)
        return cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zoë", "ZOE"),
        ("Zoe\u0308", "Zoë"),
        ("ＮＬ", "nl"),
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
        ("ISTANBUL", "ıstanbul"),
        ("Łódź", "lodz"),
        ("Æble", "aeble"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ЁЖ", "еж"),
        ("ĳs", "IJs"),
        ("d’Or", "D'or"),
    ],
)
def test_case_accents_and_width_make_no_difference(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("Zoe", "Zo"), ("12", "1 2"), ("が", "か")])
def test_everything_else_does(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.django_db
@WITH_DATABASE
@given(st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\0"), max_size=20))
@example("".join(chr(code) for code in range(1, 0x590) if unicodedata.category(chr(code)) != "Cn"))
@example("".join(chr(code) for code in range(0x1E00, 0x2200) if unicodedata.category(chr(code)) != "Cn"))
@example("".join(chr(code) for code in range(0xF900, 0xFFFE) if unicodedata.category(chr(code)) != "Cn"))
def test_the_database_folds_as_memory_does(text: str) -> None:
    assert asked(fold_sql("t.text") + " FROM (SELECT %s::text) AS t(text)", text) == fold(text)
    assert fold(fold(text)) == fold(text)


def test_the_migration_made_the_function_of_today() -> None:
    assert import_module("segments.migrations.0001_initial").FOLD == FUNCTION


PIECES = st.one_of(
    st.sampled_from(["2026-11-20", "2024-02-29", "2023-02-29", "1969-12-31", "2026-10-25", "2026-03-29", "2026-13-01"]),
    st.dates().map(str),
)
ENDS = st.sampled_from(
    ["", "T23:30", "T23:30Z", "T23:30:00Z", " 22:59:59.999999Z", "T00:30:00+05:45", "T00:30:00+0200", "T12:00:00-11:00"]
    + ["T24:00:00Z", "T23:60Z", "T23:59:60Z", "T23:30:00+15:00", "T23:30:00 Z", "T23:30:00Z\n", "T23:30:00z", "\n", "x"]
)


@pytest.mark.django_db
@WITH_DATABASE
@given(PIECES, ENDS, st.sampled_from(["Europe/Amsterdam", "Asia/Kathmandu", "America/Los_Angeles", "UTC"]))
def test_the_database_finds_the_day_that_memory_does(piece: str, end: str, zone: str) -> None:
    text = piece + end
    day = day_sql("t.text").format(zone="%s")
    sql = f"CASE WHEN {is_day_sql('t.text').format()} THEN {day} END FROM (SELECT %s::text) AS t(text)"
    assert asked(sql, zone, text) == day_of(text, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("stored", "day"),
    [
        ("2026-11-20T23:30:00Z", "2026-11-21"),
        ("2026-07-20T22:30:00Z", "2026-07-21"),
        ("2026-11-20T22:30:00Z", "2026-11-20"),
        ("2026-11-21T00:30:00+05:45", "2026-11-20"),
        ("2026-11-20T23:30:00", "2026-11-20"),
        ("2026-11-20", "2026-11-20"),
        ("2026-02-31T23:30:00Z", "2026-02-31"),
        ("soon", None),
        (20261120, None),
    ],
)
def test_a_moment_counts_for_its_business_day(stored: Any, day: str | None) -> None:
    assert day_of(stored, AMSTERDAM) == day


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("is", "ZOË", True),
        ("is", "zoe", True),
        ("is", "zo", False),
        ("is_not", "ZOE", False),
        ("one_of", ["anna", "ZOE"], True),
        ("contains", "OE", True),
        ("starts_with", "ZÖ", True),
        ("ends_with", "oË", True),
    ],
)
def test_every_comparison_reads_a_name_in_the_same_way(operator: str, value: Any, holds: bool) -> None:
    made = person(traits={"name": "Zoë", "names": ["Bert", "Zoë"]})
    conditions = [{"type": "trait", "key": "name", "operator": operator, "value": value}]
    if operator in ("is", "is_not"):  # `is` asks for the same as `has` of a list
        conditions.append({"type": "trait", "key": "names", "operator": "has", "value": value})
    for condition in conditions:
        rule = parse({"include": condition, "exclude": None})
        moment = Moment(NOW, AMSTERDAM)
        expected = holds if condition["operator"] != "has" else operator == "is_not" or holds
        with connection.cursor() as cursor:
            cursor.execute(*members_sql(rule, known_catalog(), moment))
            assert bool(cursor.fetchall()) == expected
        assert meets(rule, load_person(made, known_catalog(), set()), known_catalog(), moment) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("is", "2026-11-21", True),
        ("is", "2026-11-20", False),
        ("one_of", ["2026-11-21", "x"], True),
        ("after", "2026-11-20", True),
        ("before", "2026-11-21", False),
        ("in_last", 2, True),
        ("before_last", 2, False),
    ],
)
def test_a_trait_and_a_property_with_a_zone_count_for_the_business_day(operator: str, value: Any, holds: bool) -> None:
    made = person(traits={"renewed": "2026-11-20T23:30:00Z"})
    happened(made, "Renewed", NOW, until="2026-11-20T23:30:00Z")
    compared = {"operator": operator, "value": value}
    trait = {"type": "trait", "key": "renewed", **compared}
    event = {"type": "event", "name": "Renewed", "where": [{"key": "until", **compared}]}
    for condition in (trait, event):
        rule = parse({"include": condition, "exclude": None})
        with connection.cursor() as cursor:
            cursor.execute(*members_sql(rule, known_catalog(), Moment(NOW, AMSTERDAM)))
            assert bool(cursor.fetchall()) == holds, condition


@pytest.mark.django_db
def test_a_window_of_days_moves_on_for_moments_with_a_zone() -> None:
    made = person(traits={"renewed": "2026-11-20T23:30:00Z"})
    condition = {"type": "trait", "key": "renewed", "operator": "in_last", "value": 2}
    segment = create_segment(name="S", rule={"include": condition, "exclude": None})
    refresh_segment(segment.pk, now=datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert members(segment) == set()
    edges = moving_edges(parse({"include": condition, "exclude": None}), known_catalog())
    days = [Moment(datetime(2026, 11, day, 12, tzinfo=UTC), AMSTERDAM) for day in (20, 21, 23, 24)]
    assert crossed(edges, days[0], days[1]) == [made.pk]  # it becomes today
    assert crossed(edges, days[2], days[3]) == [made.pk]  # it becomes three days ago


@pytest.mark.django_db
def test_the_explanation_says_which_day_a_moment_counts_for() -> None:
    made = person(traits={"renewed": "2026-11-20T23:30:00Z"})
    rule = parse({"include": {"type": "trait", "key": "renewed", "operator": "after", "value": "2026-11-20"}})
    facts = load_person(made, known_catalog(), set())
    (finding,) = explain(rule, facts, known_catalog(), Moment(NOW, AMSTERDAM))
    assert finding.holds and finding.found == "which counts for 2026-11-21"


@pytest.mark.parametrize("operator", ["contains", "starts_with", "ends_with"])
def test_a_text_that_is_nothing_but_an_accent_is_refused(operator: str) -> None:
    with pytest.raises(RuleError):
        parse({"include": {"type": "trait", "key": "name", "operator": operator, "value": "\u0301"}})
