# ruff: noqa: E501 - a table of rules beside the SQL of the same question reads best with one of each a line
"""Segments over a large base: reference rules beside the SQL that a person would write for the same question."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

from bench.dataset import timed_sql
from bench.figures import Figure

#: people; ten interactions each. The budget speaks of 1,000,000 (BENCH_PEOPLE=1000000, some minutes and 6 GB)
PEOPLE = int(os.environ.get("BENCH_PEOPLE", "100000"))
#: people looked at again in one go, and the segments that each goes through
TOUCHED = (10, 1_000, 5_000)
SEGMENTS = 100
_ALIVE = "p.merged_into_id IS NULL AND p.erased_at IS NULL AND p.restricted_at IS NULL"


def _did(name: str, count: str = "at_least", times: int = 1, days: int | None = None, **more: Any) -> dict[str, Any]:
    window = {"kind": "ever"} if days is None else {"kind": "last", "days": days}
    return {"type": "event", "name": name, "count": count, "times": times, "window": window, **more}


def _trait(key: str, operator: str, value: Any) -> dict[str, Any]:
    return {"type": "trait", "key": key, "operator": operator, "value": value}


def _events(name: str, more: str = "", having: str = "") -> str:
    return f"SELECT profile_id FROM profiles_interaction WHERE name = '{name}'{more} GROUP BY profile_id{having}"


#: name, rule, the same by hand
RULES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("city", _trait("city", "is", "Utrecht"), "lower(p.traits ->> 'city') = 'utrecht'"),
    ("one of two countries", _trait("country", "one_of", ["NL", "BE"]), "lower(p.traits ->> 'country') IN ('nl', 'be')"),
    ("spent over 500", _trait("spent", "gt", 500), "(p.traits -> 'spent')::numeric > 500"),
    ("ever ordered", _did("Order Completed"), f"p.id IN ({_events('Order Completed')})"),
    ("ordered twice", _did("Order Completed", times=2), f"p.id IN ({_events('Order Completed', '', ' HAVING count(*) >= 2')})"),
    (
        "ordered in 30 days",
        _did("Order Completed", days=30),
        "p.id IN (" + _events("Order Completed", " AND occurred_at > now() - interval '30 days'") + ")",
    ),
    (
        "not ordered in 90 days",
        _did("Order Completed", count="never", times=0, days=90),
        "p.id NOT IN (" + _events("Order Completed", " AND occurred_at > now() - interval '90 days'") + ")",
    ),
    (
        "order above 150",
        _did("Order Completed", where=[{"key": "total", "operator": "gt", "value": 150}]),
        "p.id IN (" + _events("Order Completed", " AND (properties -> 'total')::numeric > 150") + ")",
    ),
    ("viewed five times", _did("Product Viewed", times=5), f"p.id IN ({_events('Product Viewed', '', ' HAVING count(*) >= 5')})"),
    (
        "lapsing",
        {
            "type": "all",
            "children": [
                _trait("country", "one_of", ["NL", "BE"]),
                _did("Order Completed", times=1),
                _did("Order Completed", count="never", times=0, days=90),
            ],
        },
        f"lower(p.traits ->> 'country') IN ('nl', 'be') AND p.id IN ({_events('Order Completed')}) AND p.id NOT IN ("
        + _events("Order Completed", " AND occurred_at > now() - interval '90 days'")
        + ")",
    ),
    (
        "viewed or clicked",
        {"type": "any", "children": [_did("Product Viewed", days=7), _did("Email Link Clicked", days=30)]},
        "(p.id IN (" + _events("Product Viewed", " AND occurred_at > now() - interval '7 days'") + ") OR p.id IN ("
        + _events("Email Link Clicked", " AND occurred_at > now() - interval '30 days'") + "))",
    ),
    ("seen this week", {"type": "seen", "which": "last", "operator": "within", "days": 7}, "p.last_seen_at > now() - interval '7 days'"),
)  # fmt: skip


def measure() -> Iterator[Figure]:
    """Yield the figures of the segment engine."""
    from cdp.common.queues import drain
    from segments.membership import refresh_segment
    from segments.services import create_segment

    _build_base()
    _announce()
    fills, refreshes, ratios, made = [], [], [], 0
    for name, rule, by_hand in RULES:
        segment = create_segment(name=f"Bench {name}", rule={"include": rule, "exclude": None})
        compiled = statistics.median(_query_seconds(segment) for _ in range(3))
        hand = statistics.median(
            timed_sql(f"SELECT count(*) FROM profiles_profile p WHERE {_ALIVE} AND {by_hand}") for _ in range(3)
        )
        started = time.perf_counter()
        refresh_segment(segment.pk)
        fills.append(time.perf_counter() - started)
        segment.refresh_from_db()
        made += segment.member_count
        started = time.perf_counter()
        refresh_segment(segment.pk)
        refreshes.append(time.perf_counter() - started)
        ratios.append(compiled / hand)
    scale = f"{PEOPLE:,} people, {PEOPLE * 10:,} interactions"
    yield Figure(
        what="segment refresh, median of 12 rules",
        value=statistics.median(refreshes),
        unit="s",
        budget=1.0,
        lower_is_better=True,
        note=f"{scale}; slowest {max(refreshes):.2f} s; compared with the members, the difference written",
    )
    yield Figure(
        what="first fill of a segment, members and history",
        value=made / sum(fills),
        unit="members/s",
        note=f"{made:,} members of 12 segments; median {statistics.median(fills):.2f} s, slowest {max(fills):.2f} s",
    )
    yield Figure(
        what="rule's SQL over hand-written, median of 12",
        value=statistics.median(ratios),
        unit="x",
        budget=1.2,
        lower_is_better=True,
        note=f"best {min(ratios):.2f}, worst {max(ratios):.2f}",
    )
    for number in range(len(RULES), SEGMENTS):
        name, rule, _by_hand = RULES[number % len(RULES)]
        refresh_segment(create_segment(name=f"{name} {number}", rule={"include": rule, "exclude": None}).pk)
    for count in TOUCHED:
        seconds = []
        for _turn in range(3):
            timed_sql(
                "INSERT INTO segments_touched (profile_id, since) "
                "SELECT id, now() FROM profiles_profile ORDER BY id LIMIT %s",
                [count],
            )
            started = time.perf_counter()
            drain("segments_touched")
            seconds.append(time.perf_counter() - started)
        yield Figure(
            what=f"{count:,} touched people through {SEGMENTS} segments",
            value=statistics.median(seconds),
            unit="s",
            note=scale,
        )


def _query_seconds(segment: Any) -> float:
    from segments.catalog_loader import catalog_for, moment_now
    from segments.rules.parse import parse
    from segments.rules.sql import members_sql

    rule = parse(segment.current_version.rule)
    sql, params = members_sql(rule, catalog_for(rule), moment_now(None))
    return timed_sql(f"SELECT count(*) FROM ({sql}) AS members", params)


def _build_base() -> None:
    """Make people and interactions by SQL: what is measured is the reading."""
    timed_sql("TRUNCATE profiles_interaction, profiles_profile CASCADE")
    timed_sql(
        """
        INSERT INTO profiles_profile (uuid, traits, origins, display_name, email, search_text, identified, first_seen_at, last_seen_at)
        SELECT gen_random_uuid(),
               jsonb_build_object('city', (ARRAY['Utrecht','Gent','Amsterdam','Berlin','Haarlem'])[1 + n %% 5],
                                  'country', (ARRAY['NL','BE','NL','DE','NL'])[1 + n %% 5], 'spent', (n * 7919) %% 1000,
                                  'first_name', 'Anna', 'plan', (ARRAY['free','pro'])[1 + n %% 2]),
               '{}', 'Anna ' || n, 'p' || n || '@example.org', 'anna p' || n || '@example.org', true,
               now() - interval '400 days', now() - ((n * 7919) %% 400) * interval '1 day'
        FROM generate_series(1, %s) AS n
        """,
        [PEOPLE],
    )
    timed_sql(
        """
        INSERT INTO profiles_interaction (profile_id, identifier_id, occurred_at, received_at, kind, name, properties, context,
                                          source_id, message_id)
        SELECT p.id, p.id, now() - ((p.id * 7919 + k * 104729) % 390) * interval '1 day' - k * interval '1 hour', now(), 'track',
               (ARRAY['Product Viewed','Product Viewed','Page Viewed','Product Viewed','Order Completed','Page Viewed',
                      'Product Added','Product Viewed','Email Link Clicked','Page Viewed'])[1 + (p.id + k * 3) % 10],
               jsonb_build_object('total', (p.id * 31 + k * 17) % 300), '{}', 1, ''
        FROM profiles_profile AS p CROSS JOIN generate_series(1, 10) AS k
        """
    )
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE profiles_interaction")
        cursor.execute("VACUUM ANALYZE profiles_profile")
        cursor.execute("SET statement_timeout = '30s'")


def _announce() -> None:
    """Put what the base was made of into the catalogue, which the ordinary writers keep."""
    from profiles.models import CatalogueEntry

    traits = {"city": "text", "country": "text", "spent": "number", "first_name": "text", "plan": "text"}
    entries = [CatalogueEntry(scope="trait", path=name, types={type_: PEOPLE}) for name, type_ in traits.items()]
    for name in ("Product Viewed", "Page Viewed", "Order Completed", "Product Added", "Email Link Clicked"):
        entries.append(CatalogueEntry(scope="event", event=name))
        entries.append(CatalogueEntry(scope="property", event=name, path="total", types={"number": PEOPLE}))
    CatalogueEntry.objects.bulk_create(entries, ignore_conflicts=True)
