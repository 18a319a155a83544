"""Random rules over random people: the SQL over everybody, the SQL over some, and the oracle must agree; so must the
members after any history, whether kept by touches and sweeps or made anew."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consent.models import Purpose
from profiles.models import CatalogueEntry, Profile
from segments import membership
from segments.catalog_loader import event_names, known_catalog, load_person, moment_now
from segments.models import Segment, SegmentVersion
from segments.rules.evaluate import meets
from segments.rules.explain import explain
from segments.rules.operators import OPERATORS
from segments.rules.parse import parse
from segments.rules.sql import ALL_TABLES, counts_sql, members_sql
from segments.touched_batch import Needs, fill_block
from tests.segments.factories import changed, happened, identifier, members, person, process_touched, sweep

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEYS = ["plan", "n", "day", "tags", "Ünï %s", "n.a"]
#: members of objects, lines of lists, and places that are not there
PATHS = [*KEYS, "plan.a", "tags[]", "tags[].a", "tags[].a.b", "tags.0.a", "tags.-1", "plan[].a"]
EVENTS = ["Order", "Visit"]
TEXTS = [
    "",
    "pro",
    "PRO",
    "prøve",
    "2026-11-20",
    "2026-11-20T23:59:59Z",
    "2026-02-31",
    "2025-01-01",
    "12",
    "%",
    "'\"\\",
    "İ",
    "PRÖ",
    "pro\u0308",
    "ＰＲＯ",
    "Straße",
    "STRASSE",
    "2026-11-20T23:30:00Z",
    "2026-11-20 23:30+0000",
    "2026-11-21T00:30:00.5+05:45",
    "2026-02-31T23:30:00Z",
    "2026-11-20T25:00:00Z",
    "2026-11-21",
]
SCALARS = st.one_of(
    st.sampled_from(TEXTS), st.integers(-3, 3), st.sampled_from([0.1, 1.0, 2.5, -0.0, 1e20]), st.booleans()
)
INSIDE = st.fixed_dictionaries({"a": st.one_of(SCALARS, st.none(), SCALARS.map(lambda value: {"b": value}))})
STORED = st.one_of(
    SCALARS, st.none(), st.lists(SCALARS, max_size=3), INSIDE, st.lists(st.one_of(INSIDE, SCALARS), max_size=3)
)
GIVEN_TEXT = st.sampled_from([text for text in TEXTS if text])
GIVEN = st.one_of(GIVEN_TEXT, st.integers(-3, 3), st.sampled_from([0.1, 1.0, 2.5]), st.booleans())
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.1, 2.5]))
DAYS = st.integers(1, 12)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "nothing": st.none(),
    "scalar": GIVEN,
    "scalars": st.lists(GIVEN, min_size=1, max_size=3),
    "text": GIVEN_TEXT,
    "number": NUMBERS,
    "two_numbers": st.tuples(NUMBERS, NUMBERS).map(lambda pair: sorted(pair)),
    "date": st.sampled_from(["2026-11-20", "2026-11-25", "2025-06-01"]),
    "days": DAYS,
}


@st.composite
def comparisons(draw: st.DrawFn, keys: list[str]) -> dict[str, Any]:
    """A comparison of any operator."""
    operator = draw(st.sampled_from(sorted(OPERATORS)))
    value = draw(VALUES[OPERATORS[operator].takes])
    return {"key": draw(st.sampled_from(keys)), "operator": operator, **({} if value is None else {"value": value})}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """A condition on behaviour."""
    window = draw(
        st.one_of(
            st.just({"kind": "ever"}),
            DAYS.map(lambda days: {"kind": "last", "days": days}),
            st.just({"kind": "between", "from": "2026-11-15", "to": "2026-11-20"}),
        )
    )
    count = draw(st.sampled_from(["at_least", "at_most", "exactly", "never"]))
    node: dict[str, Any] = {"type": "event", "name": draw(st.sampled_from(EVENTS)), "count": count, "window": window}
    if count != "never":
        node["times"] = draw(st.integers(1 if count == "at_least" else 0, 3))
    node["where"] = draw(st.lists(comparisons(["total", "sku", "sku.a", "sku[]", "sku[].a"]), max_size=2))
    return node


LEAVES = st.one_of(
    comparisons(PATHS).map(lambda node: {"type": "trait", **node}),
    comparisons(PATHS).map(lambda node: {"type": "trait", **node}),
    events(),
    st.builds(
        lambda which, operator, days: {"type": "seen", "which": which, "operator": operator, "days": days},
        st.sampled_from(["first", "last"]),
        st.sampled_from(["within", "before"]),
        DAYS,
    ),
    st.sampled_from(["given", "withdrawn", "none"]).map(
        lambda state: {"type": "consent", "purpose": "news", "channel": "email", "state": state}
    ),
    st.sampled_from(["email", "user_id"]).map(lambda kind: {"type": "identifier", "kind": kind}),
    st.just({"type": "everyone"}),
)
NODES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda nodes: {"type": "all", "children": nodes}),
        st.lists(inner, min_size=1, max_size=3).map(lambda nodes: {"type": "any", "children": nodes}),
        inner.map(lambda node: {"type": "not", "child": node}),
    ),
    max_leaves=5,
)
RULES = st.builds(lambda include, exclude: {"include": include, "exclude": exclude}, NODES, st.none() | NODES)
PAST_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(EVENTS),
        st.sampled_from([0.0, 0.5, 2.0, 3.0, 5.5, 8.0, 11.9]),
        st.dictionaries(st.sampled_from(["total", "sku"]), STORED, max_size=2),
    ),
    max_size=4,
)
PERSON = st.tuples(
    st.dictionaries(st.sampled_from(KEYS), STORED, max_size=4),
    PAST_EVENTS,
    st.sampled_from([None, "given", "withdrawn"]),
    st.booleans(),
    st.floats(0, 12),
)
#: no shrinking: with a database behind each example that takes minutes; the failing example is small as it is
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


class _Undo(Exception):
    """Roll one example back."""


def _people(made: list[Any]) -> list[Profile]:
    purpose, _new = Purpose.objects.get_or_create(slug="news", defaults={"name": "News", "channels": ["email"]})
    people = []
    for number, (traits, done, consent, known, seen) in enumerate(made):
        profile = person(traits=traits, first=NOW - timedelta(days=seen + 1), last=NOW - timedelta(days=seen))
        for name, days, properties in done:
            happened(profile, name, NOW - timedelta(days=days), **properties)
        if consent:
            _say(profile, purpose, consent)
        if known:
            identifier(profile, "email", f"p{number}-{profile.pk}@klantbeeld.example")
        people.append(profile)
    return people


def _say(profile: Profile, purpose: Purpose, state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO consent_consentstate "
            "(profile_id, purpose_id, channel, state, record_id, proof, since, recorded_at) "
            "VALUES (%s, %s, 'email', %s, 0, 'seen', now(), now())",
            [profile.pk, purpose.pk, state],
        )


def _query(sql: str, params: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


@pytest.mark.django_db
@QUICK
@given(data=RULES, made=st.lists(PERSON, min_size=1, max_size=5))
def test_sql_over_all_sql_over_some_and_the_oracle_agree(data: dict[str, Any], made: list[Any]) -> None:
    try:
        with transaction.atomic():
            people = _people(made)
            rule, catalog, moment = parse(data), known_catalog(), moment_now(NOW)
            facts = {row.pk: load_person(row, catalog, event_names(rule, catalog)) for row in people}
            oracle = {key for key, fact in facts.items() if meets(rule, fact, catalog, moment)}
            mine = [row.pk for row in people]
            whole = {row[0] for row in _query(*members_sql(rule, catalog, moment))}
            some = {row[0] for row in _query(*members_sql(rule, catalog, moment, ids=mine))}
            copied = fill_block(mine, Needs.of([rule], catalog), moment)
            block = {row[0] for row in _query(*members_sql(rule, catalog, moment, ids=mine, tables=copied))}
            assert whole & set(mine) == oracle == some == block
            sql, params, names = counts_sql(rule, catalog, moment, ids=mine)
            counted = dict(zip(names, _query(sql, params)[0], strict=True))
            assert counted["total"] == len(oracle)
            for part in ("include", "exclude") if data["exclude"] else ("include",):
                told = [
                    next(found.holds for found in explain(rule, fact, catalog, moment) if found.path == part)
                    for fact in facts.values()
                ]
                assert counted[part] == sum(told)
            raise _Undo
    except _Undo:
        pass


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["trait", "event", "sweep", "later"]),
        st.sampled_from(KEYS),
        STORED,
        st.sampled_from([0.2, 1.0, 2.5, 6.0]),
    ),
    max_size=6,
)


@pytest.mark.django_db
@settings(QUICK, max_examples=40)
@given(data=RULES, made=st.lists(PERSON, min_size=3, max_size=3), steps=STEPS, worth=st.sampled_from([1, 1000]))
def test_members_kept_by_touches_and_sweeps_equal_those_made_anew(
    monkeypatch_now: Any, data: dict[str, Any], made: list[Any], steps: list[Any], worth: int
) -> None:
    monkeypatch_now(NOW, worth)
    try:
        with transaction.atomic():
            people = _people(made)
            now = NOW
            monkeypatch_now(now)
            # Names out of the catalogue would break the segment, which is another test's matter.
            entries = [CatalogueEntry(scope="trait", path=path) for path in PATHS]
            CatalogueEntry.objects.bulk_create(entries, ignore_conflicts=True)
            segment = Segment.objects.create(name="S", slug="s")
            segment.current_version = SegmentVersion.objects.create(segment=segment, number=1, rule=data, sentence="")
            segment.save()
            membership.refresh_segment(segment.pk, now=now)
            for who, what, key, value, days in steps:
                profile = people[who]
                if what == "trait":
                    Profile.objects.filter(pk=profile.pk).update(
                        traits={**Profile.objects.get(pk=profile.pk).traits, key: value}
                    )
                elif what == "event":
                    happened(profile, EVENTS[who % 2], now - timedelta(days=days), total=value)
                else:
                    now += timedelta(days=days)
                    monkeypatch_now(now)
                if what in ("trait", "event"):
                    changed(profile)
                    process_touched()
                elif what == "sweep":
                    sweep(now)
            sweep(now)
            kept = members(segment)
            membership.refresh_segment(segment.pk, now=now)
            segment.refresh_from_db()
            assert segment.status == "live", segment.broken_params
            assert kept == members(segment)
            assert segment.member_count == len(kept)
            rule, catalog = parse(data), known_catalog()
            for profile in Profile.objects.filter(pk__in=[row.pk for row in people]):
                fact = load_person(profile, catalog, event_names(rule, catalog))
                assert meets(rule, fact, catalog, moment_now(now)) == (profile.pk in kept), json.dumps(data)
            raise _Undo
    except _Undo:
        pass


@pytest.fixture
def monkeypatch_now(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sets the engine's clock and, where given, when a block is copied."""

    def put(now: datetime, worth: int | None = None) -> None:
        if worth is not None:  # from how many segments on the block is copied
            monkeypatch.setattr("segments.touched.WORTH", worth)
        for module in ("membership", "touched", "sweeping"):
            monkeypatch.setattr(f"segments.{module}.moment_now", lambda given=None: moment_now(given or now))

    return put


@pytest.mark.django_db
@pytest.mark.parametrize("count", ["at_least", "at_most", "exactly", "never"])
@pytest.mark.parametrize("days", [2, 5])
def test_counts_agree_at_their_very_borders(count: str, days: int) -> None:
    people = [person() for _ in range(5)]
    for times, profile in enumerate(people):
        for _time in range(times):
            happened(profile, "Order", NOW - timedelta(days=3))
    mine = [row.pk for row in people]
    catalog, moment = known_catalog(), moment_now(NOW)
    leaves: list[dict[str, Any]] = [
        {"type": "event", "name": "Order", "count": count, "window": {"kind": "last", "days": days}}
    ]
    if count != "never":
        leaves = [{**leaves[0], "times": times} for times in range(1 if count == "at_least" else 0, 5)]
    wider = parse({"include": {**leaves[0], "window": {"kind": "last", "days": 9}}, "exclude": None})
    for leaf in leaves:
        rule = parse({"include": leaf, "exclude": None})
        copied = fill_block(mine, Needs.of([rule, wider], catalog), moment)
        facts = {row.pk: load_person(row, catalog, {"Order"}) for row in people}
        oracle = {key for key, fact in facts.items() if meets(rule, fact, catalog, moment)}
        assert {row[0] for row in _query(*members_sql(rule, catalog, moment))} & set(mine) == oracle
        for tables in (ALL_TABLES, copied):
            sql, params = members_sql(rule, catalog, moment, ids=mine, tables=tables)
            assert {row[0] for row in _query(sql, params)} == oracle, leaf
