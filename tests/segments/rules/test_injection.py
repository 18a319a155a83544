"""Nothing that a marketer types ever becomes SQL text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from segments.rules.catalog import Catalog
from segments.rules.nodes import Moment
from segments.rules.operators import OPERATORS
from segments.rules.parse import parse
from segments.rules.sql import counts_sql, members_sql
from tests.segments.factories import happened, person

NASTY = [
    "x' OR '1'='1",
    'x"; DROP TABLE profiles_profile; --',
    "%s %(v0)s %",
    "{alias} {x} {0}",
    "\\'; SELECT 1",
    "$1 $$ :a",
]
MOMENT = Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), UTC)
TEXTUAL = [key for key, operator in OPERATORS.items() if operator.takes in ("scalar", "text", "scalars")]


@pytest.mark.django_db
@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("operator", TEXTUAL)
def test_keys_names_and_values_are_parameters(text: str, operator: str) -> None:
    somebody = person(traits={text: text})
    properties: dict[str, Any] = {text: text}
    happened(somebody, text, **properties)
    value = [text] if OPERATORS[operator].takes == "scalars" else text
    comparison = {"key": text, "operator": operator, "value": value}
    rule = parse(
        {
            "include": {
                "type": "any",
                "children": [{"type": "trait", **comparison}, {"type": "event", "name": text, "where": [comparison]}],
            }
        }
    )
    counting = counts_sql(rule, Catalog(), MOMENT)
    sql, params = members_sql(rule, Catalog(), MOMENT)
    assert text not in sql
    assert text not in counting[0]
    with connection.cursor() as cursor:
        cursor.execute(counting[0], counting[1])
        cursor.execute(sql, params)
        assert cursor.fetchall() == ([] if operator in ("is_not", "has") else [(somebody.pk,)])
