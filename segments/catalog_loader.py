"""Gather what a rule is checked against and what it is evaluated on: the reads behind the pure rooms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from consent.models import ConsentState, Purpose
from profiles.catalogue.types import LIST, OTHER
from profiles.models import CatalogueEntry, Identifier, IdentifierKind, Profile
from segments.models import Kind, Membership, Segment, Status
from segments.rules.catalog import Catalog, PurposeFact, SegmentFact
from segments.rules.errors import RuleError
from segments.rules.evaluate import PastEvent, Person
from segments.rules.nodes import Event, Member, Moment, Rule, Trait, walk_rule
from segments.rules.parse import parse

#: interactions of one person read to explain a rule
MAX_HAPPENINGS = 20_000


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
            row.pk: SegmentFact(
                id=row.pk, name=row.name, rule=_usable_rule(row), is_list=row.is_list and row.status == Status.LIVE
            )
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


def stored_catalog(rule: Rule) -> Catalog:
    """Return a catalog for a stored rule: of the traits that it names only whether they are in the catalogue.

    A trait that was taken out of it is a deleted reference; types and events may drift without breaking a segment.
    """
    keys = {node.key for _path, node in walk_rule(rule) if isinstance(node, Trait)}
    return replace(known_catalog(), traits=dict.fromkeys(CatalogueEntry.objects.types_of(keys), frozenset()))


def catalog_for(rule: Rule) -> Catalog:
    """Return a catalog that knows the traits, events and properties that this rule names: for saving it."""
    base = known_catalog()
    nodes = [node for _path, node in walk_rule(rule)]
    traits = {node.key for node in nodes if isinstance(node, Trait)}
    wanted: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, Event):
            wanted.setdefault(node.name, set()).update(item.key for item in node.where)
    events = CatalogueEntry.objects.events().filter(event__in=wanted).values_list("event", flat=True)
    catalog = replace(
        base,
        traits=CatalogueEntry.objects.types_of(traits),
        events=frozenset(events),
        properties={
            (event, path): types
            for event, paths in wanted.items()
            for path, types in CatalogueEntry.objects.types_of(paths, event=event).items()
        },
    )
    return replace(catalog, proposals=_proposals(catalog, traits, wanted))


def _proposals(
    catalog: Catalog, traits: Iterable[str], wanted: Mapping[str, Iterable[str]]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return what each unknown name may have meant, and for a list or an object what is inside."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for event, paths in [("", traits), *wanted.items()]:
        if event and event not in (catalog.events or ()):
            found[event, ""] = tuple(CatalogueEntry.objects.similar_events(event))
            continue
        for path in paths:
            types = ((catalog.properties or {}).get((event, path)) if event else (catalog.traits or {}).get(path)) or ()
            if types == frozenset({LIST}) or types == frozenset({OTHER}):
                found[event, path] = tuple(CatalogueEntry.objects.inside(path, event=event))
            elif not types:
                found[event, path] = tuple(CatalogueEntry.objects.proposals(path, event=event))
    return found


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
        lists=frozenset(
            Membership.objects.filter(
                profile_id=profile.pk, segment__kind=Kind.STATIC, segment__status=Status.LIVE
            ).values_list("segment_id", flat=True)
        ),
        usable=profile.merged_into_id is None and profile.erased_at is None and profile.restricted_at is None,
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
        elif isinstance(node, Member) and not catalog.is_list(node.segment):
            names |= event_names(catalog.rule_of(node.segment), catalog)
    return names
