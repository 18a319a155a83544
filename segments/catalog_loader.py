"""Gather what a rule is checked against and what it is evaluated on: the reads behind the pure rooms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from consent.models import ConsentState, Purpose
from profiles.models import Identifier, IdentifierKind, Profile
from segments.models import Segment, Status
from segments.rules.catalog import Catalog, PurposeFact, SegmentFact
from segments.rules.errors import RuleError
from segments.rules.evaluate import PastEvent, Person
from segments.rules.nodes import Event, Member, Moment, Rule, Trait, walk_rule
from segments.rules.operators import type_of
from segments.rules.parse import parse

#: interactions of one person read to explain a rule
MAX_HAPPENINGS = 20_000
#: values of a trait looked at to learn its types
TYPE_SAMPLE = 200


def moment_now(now: datetime | None = None) -> Moment:
    """Return this moment, by the clock of the database, in the zone of the business."""
    if now is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            now = cursor.fetchone()[0]
    return Moment(now, ZoneInfo(settings.BUSINESS_TIME_ZONE))


def known_catalog() -> Catalog:
    """Return purposes, identifier kinds and segments: all that the engine needs to print stored rules."""
    return Catalog(
        purposes={
            row.slug: PurposeFact(id=row.pk, name=row.name, channels=tuple(row.channels))
            for row in Purpose.objects.filter(active=True)
        },
        identifiers={kind.name: kind.words for kind in IdentifierKind.objects.all()},
        segments={
            row.pk: SegmentFact(id=row.pk, name=row.name, rule=_usable_rule(row))
            for row in Segment.objects.select_related("current_version")
        },
    )


def _usable_rule(segment: Segment) -> Rule | None:
    if segment.status != Status.LIVE or segment.current_version is None:
        return None
    try:
        return parse(segment.current_version.rule)
    except RuleError:
        return None


def catalog_for(rule: Rule, *, saving: bool = True) -> Catalog:
    """Return a catalog that also knows whether the traits of this rule exist, by asking exactly for those.

    While a rule is saved, types and events are checked too. Later on they may drift without breaking the segment.
    """
    base = known_catalog()
    keys = {node.key for _path, node in walk_rule(rule) if isinstance(node, Trait)}
    names = {node.name for _path, node in walk_rule(rule) if isinstance(node, Event)}
    return Catalog(
        traits={
            key: types if saving else frozenset() for key in sorted(keys) if (types := trait_types(key)) is not None
        },
        events=known_events(names) if saving else None,
        purposes=base.purposes,
        identifiers=base.identifiers,
        segments=base.segments,
    )


def trait_types(key: str) -> frozenset[str] | None:
    """Return the types that a trait was seen in; None when nobody has it.

    A sample that finds only some types may not refuse a comparison, so all types are given when it is not complete.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT traits -> %s FROM profiles_profile "
            "WHERE traits ? %s AND merged_into_id IS NULL AND erased_at IS NULL LIMIT %s",
            [key, key, TYPE_SAMPLE],
        )
        values = [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in cursor.fetchall()]
    if not values:
        return None
    return frozenset(type_of(value) for value in values) if len(values) < TYPE_SAMPLE else _wider(values)


def _wider(values: Iterable[object]) -> frozenset[str]:
    types = frozenset(type_of(value) for value in values)
    return types if len(types) == 1 else frozenset()


def known_events(names: set[str]) -> frozenset[str]:
    """Return which of these events somebody did, by one look in the index each."""
    if not names:
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n FROM unnest(%s::text[]) n WHERE EXISTS (SELECT 1 FROM profiles_interaction i WHERE i.name = n)",
            [sorted(names)],
        )
        return frozenset(row[0] for row in cursor.fetchall())


def referencing(segment_id: int, rules: Mapping[int, Rule | None]) -> set[int]:
    """Return every segment whose rule builds on this one, directly or further up."""
    found: set[int] = set()
    waiting = {segment_id}
    while waiting:
        target = waiting.pop()
        for other, rule in rules.items():
            if other in found or rule is None:
                continue
            if any(isinstance(node, Member) and node.segment == target for _path, node in walk_rule(rule)):
                found.add(other)
                waiting.add(other)
    return found


def load_person(profile: Profile, catalog: Catalog, names: set[str]) -> Person:
    """Return one person as the oracle sees them, with what they did under the given event names."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT traits::text FROM profiles_profile WHERE id = %s", [profile.pk])
        row = cursor.fetchone()
        traits = _exact(row[0]) if row else {}
        cursor.execute(
            "SELECT name, occurred_at, properties::text FROM profiles_interaction "
            "WHERE profile_id = %s AND name = ANY (%s) ORDER BY occurred_at DESC LIMIT %s",
            [profile.pk, sorted(names), MAX_HAPPENINGS],
        )
        events = tuple(PastEvent(name, at, _exact(text)) for name, at, text in cursor.fetchall())
    slugs = {fact.id: slug for slug, fact in catalog.purposes.items()}
    consents = {
        (slugs[purpose], channel): state
        for purpose, channel, state in ConsentState.objects.filter(profile_id=profile.pk).values_list(
            "purpose_id", "channel", "state"
        )
        if purpose in slugs
    }
    return Person(
        first_seen_at=profile.first_seen_at,
        last_seen_at=profile.last_seen_at,
        traits=traits,
        events=events,
        identifiers=frozenset(Identifier.objects.filter(profile_id=profile.pk).values_list("kind", flat=True)),
        consents=consents,
        alive=profile.merged_into_id is None and profile.erased_at is None,
    )


def _exact(text: str) -> dict[str, object]:
    """Decode JSON without losing digits."""
    return dict(json.loads(text, parse_float=Decimal))


def event_names(rule: Rule, catalog: Catalog) -> set[str]:
    """Return the events that a rule looks at, those of the segments it builds on included."""
    names: set[str] = set()
    for _path, node in walk_rule(rule):
        if isinstance(node, Event):
            names.add(node.name)
        elif isinstance(node, Member):
            names |= event_names(catalog.rule_of(node.segment), catalog)
    return names
