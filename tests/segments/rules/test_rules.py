"""Parse, check, print, describe: exact texts and every way of refusing."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from segments.rules.catalog import Catalog, PurposeFact, SegmentFact
from segments.rules.check import check
from segments.rules.describe import describe
from segments.rules.errors import RuleError
from segments.rules.nodes import Member, Moment, Rule
from segments.rules.parse import parse
from segments.rules.sql import members_sql

MOMENT = Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), UTC)
CATALOG = Catalog(
    traits={"country": frozenset({"text"})},
    events=frozenset({"Order"}),
    purposes={"news": PurposeFact(id=7, name="News", channels=("email",))},
    identifiers={"email": "E-mail"},
)
COUNTRY = {"type": "trait", "key": "country", "operator": "is", "value": "NL"}


def nested(depth: int) -> dict[str, Any]:
    """Return groups within groups."""
    return COUNTRY if depth == 1 else {"type": "all", "children": [nested(depth - 1)]}


def fault(include: Any, **more: Any) -> tuple[str, str]:
    """Return (path, code) of the first fault."""
    with pytest.raises(RuleError) as refused:
        check(parse({"include": include, **more}), CATALOG)
    return refused.value.problems[0].path, refused.value.problems[0].code


def test_the_rooms_need_no_django() -> None:
    code = (
        "import sys, segments.rules.parse, segments.rules.check, segments.rules.sql, segments.rules.describe, "
        "segments.rules.explain, segments.rules.sliding_windows; "
        "assert not [m for m in sys.modules if m.startswith(('django', 'psycopg'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ({"type": "all", "children": []}, ("include", "empty_group")),
        ({"type": "any"}, ("include", "empty_group")),
        ({"type": "not"}, ("include.0", "missing")),
        ({"type": "sql", "text": "1=1"}, ("include", "unknown_type")),
        ({"type": ["all"]}, ("include", "unknown_type")),
        ({**COUNTRY, "operator": "=="}, ("include", "unknown_operator")),
        ({**COUNTRY, "key": "contry"}, ("include", "unknown_trait")),
        ({**COUNTRY, "operator": "gt", "value": 5}, ("include", "wrong_type")),
        ({**COUNTRY, "value": float("nan")}, ("include", "bad_value")),
        ({**COUNTRY, "value": "a\x00"}, ("include", "bad_value")),
        ({**COUNTRY, "column": "id"}, ("include", "unknown_field")),
        ({"type": "all", "children": [COUNTRY, None]}, ("include.1", "missing")),
        ({"type": "event", "name": "Nothing"}, ("include", "unknown_event")),
        ({"type": "event", "name": "Order", "times": 0}, ("include", "zero_times")),
        ({"type": "member", "segment": 99}, ("include", "unknown_segment")),
        ({"type": "consent", "purpose": "x", "channel": "email", "state": "given"}, ("include", "unknown_purpose")),
        ({"type": "identifier", "kind": "x"}, ("include", "unknown_identifier")),
        ({"type": "any", "children": [COUNTRY] * 100}, ("include.99", "too_many")),
        ({**COUNTRY, "operator": "one_of", "value": ["x"] * 1001}, ("include", "too_many_values")),
        ({**COUNTRY, "operator": "one_of", "value": ["x" * 499] * 200}, ("include", "too_big")),
        (nested(7), ("include.0.0.0.0.0.0", "too_deep")),
        (None, ("include", "missing")),
    ],
)
def test_what_is_empty_unknown_or_too_much_is_refused_at_its_place(include: Any, expected: tuple[str, str]) -> None:
    assert fault(include) == expected


@pytest.mark.parametrize("data", [None, [], "x", 5, {}, {"include": COUNTRY, "where": "1=1"}])
def test_what_is_no_rule_is_refused(data: Any) -> None:
    with pytest.raises(RuleError):
        parse(data)


def test_a_deep_bomb_is_refused_and_not_walked() -> None:
    bomb: Any = COUNTRY
    for _level in range(3000):
        bomb = {"type": "not", "child": bomb}
    with pytest.raises(RuleError):
        parse({"include": bomb})


def test_a_circle_is_refused_and_shown() -> None:
    first, second = Rule(Member(2)), Rule(Member(1))
    catalog = Catalog(
        segments={1: SegmentFact(id=1, name="A", rule=first), 2: SegmentFact(id=2, name="B", rule=second)}
    )
    with pytest.raises(RuleError, match="A → B → A"):
        check(first, catalog, segment_id=1)


def test_the_sql_of_a_rule() -> None:
    rule = parse({"include": {"type": "all", "children": [COUNTRY, {"type": "event", "name": "Order", "times": 2}]}})
    sql, params = members_sql(rule, CATALOG, MOMENT, ids=[1, 2])
    assert sql == (
        "SELECT p.id\n"
        "FROM profiles_profile p\n"
        "LEFT JOIN (SELECT i.profile_id FROM profiles_interaction i\n"
        "    WHERE i.name = %(v2)s AND i.profile_id = ANY (%(ids)s::bigint[])\n"
        "    GROUP BY i.profile_id HAVING count(*) >= 2) j0 ON j0.profile_id = p.id\n"
        "WHERE p.merged_into_id IS NULL AND p.erased_at IS NULL AND p.restricted_at IS NULL\n"
        "  AND p.id = ANY (%(ids)s::bigint[])\n"
        "  AND (COALESCE("
        '(((lower((p.traits ->> %(v1)s) COLLATE "C") = ANY (%(v0)s::text[])'
        " OR (octet_length((p.traits ->> %(v1)s)) <> length((p.traits ->> %(v1)s))"
        " AND segments_fold((p.traits ->> %(v1)s)) = ANY (%(v0)s::text[]))))"
        " AND jsonb_typeof((p.traits -> %(v1)s)) = 'string'), false)"
        " AND (j0.profile_id IS NOT NULL))"
    )
    assert params == {"ids": [1, 2], "v0": ["nl"], "v1": "country", "v2": "Order"}


def test_the_sentence_of_a_rule() -> None:
    rule = parse(
        {
            "include": {
                "type": "all",
                "children": [
                    {**COUNTRY, "operator": "one_of", "value": ["NL", "BE"]},
                    {
                        "type": "not",
                        "child": {"type": "event", "name": "Order", "window": {"kind": "last", "days": 90}},
                    },
                ],
            },
            "exclude": {"type": "consent", "purpose": "news", "channel": "email", "state": "withdrawn"},
        }
    )
    assert describe(rule, CATALOG) == (
        "People whose country is one of NL, BE and not (who did “Order” in the last 90 days), "
        "except those whose permission for News by e-mail is withdrawn."
    )
