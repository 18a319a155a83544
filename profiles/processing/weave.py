"""Weave sightings of identifiers into people: find or make the identifiers, their links, and who they belong to.

Everything is in bulk. A block whose identifiers and links are all known costs one look-up; what is new costs the
closure of its links and one run of the pure partition (`profiles.identity.graph`).

Locks: profiles, in id order. Whoever holds a person's row may hang things on it or move its identifiers; a look-up
made before the lock is checked after it, and made again when somebody was faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from profiles.handlers import IdentifierMove
from profiles.identity.graph import Kind
from profiles.identity.traits import Assertion
from profiles.processing import weave_rows as rows
from profiles.processing.weave_plan import Plan, make_plan
from profiles.processing.weave_rows import IdentifierRow, LinkRow, Pair
from profiles.processing.weave_write import Overtaken, apply_plan

#: how often a look-up may turn out to be stale before the block is given back
MAX_ROUNDS = 8
#: a closure larger than this is not followed: its new links wait for review (see A20)
MAX_CLOSURE = 4000


@dataclass(frozen=True, slots=True)
class Sighting:
    """Identifiers that one message carried: the anchor first. `weak` are those that only a public key claimed."""

    identifiers: tuple[Pair, ...]
    at: datetime
    tie: str
    source_id: int | None
    trusted: bool
    weak: tuple[Pair, ...] = ()
    manual: bool = False


@dataclass(slots=True)
class Woven:
    """Who everybody is. Every profile in `profile_ids` is locked until the transaction ends."""

    identifiers: dict[Pair, IdentifierRow]
    created_profile_ids: set[int] = field(default_factory=set)
    moves: list[IdentifierMove] = field(default_factory=list)
    #: profiles whose identifiers changed (new, moved, verified): their traits and derived columns must be made anew
    changed_profile_ids: set[int] = field(default_factory=set)

    def profile_of(self, pair: Pair) -> int:
        """Return the profile of an identifier."""
        return self.identifiers[pair].profile_id


@dataclass(slots=True)
class Wanted:
    """What the sightings say, folded: one entry per identifier and per link."""

    seen: dict[Pair, rows.Seen] = field(default_factory=dict)
    links: dict[tuple[Pair, Pair], rows.LinkSaid] = field(default_factory=dict)


class Stale(Exception):
    """Somebody else changed what was looked up; look again."""


def weave(
    sightings: Iterable[Sighting],
    kinds: Mapping[str, Kind],
    *,
    said: Mapping[Pair, Mapping[str, Assertion]] | None = None,
    cause: str = "link",
    by: int | None = None,
) -> Woven:
    """Find or make everybody that the sightings speak of; join and part people as the links ask.

    Must run inside a transaction. `said` holds what is said under new identifiers, written along with them. The caller
    writes the profiles (`people.refresh`; those created have an id and no row yet) and announces the moves.
    """
    wanted = fold(sightings)
    if not wanted.seen:
        return Woven({})
    for _round in range(MAX_ROUNDS):
        try:
            with transaction.atomic():
                return _weave_once(wanted, kinds, said or {}, cause, by)
        except (Stale, Overtaken):
            continue
    raise Stale("identifiers kept changing under this block")


def fold(sightings: Iterable[Sighting]) -> Wanted:
    """Fold sightings into what is wanted of each identifier and link; the same whatever their order."""
    wanted = Wanted()
    seen, links = wanted.seen, wanted.links
    for sighting in sightings:
        anchor = sighting.identifiers[0]
        for pair in sighting.identifiers:
            known = seen.get(pair)
            if known is None:
                seen[pair] = rows.Seen(sighting.at, sighting.at, sighting.trusted, sighting.source_id)
            else:
                known.add(sighting.at, sighting.trusted)
            if pair == anchor:
                continue
            ends = (anchor, pair) if anchor < pair else (pair, anchor)
            said = rows.LinkSaid(sighting.at, sighting.tie, pair in sighting.weak, sighting.manual, sighting.source_id)
            links[ends] = rows.earliest(links[ends], said) if ends in links else said
    return wanted


def _weave_once(
    wanted: Wanted,
    kinds: Mapping[str, Kind],
    said: Mapping[Pair, Mapping[str, Assertion]],
    cause: str,
    by: int | None,
) -> Woven:
    found = rows.find_identifiers(wanted.seen)
    known_links = rows.find_links([(found[a].id, found[b].id) for a, b in wanted.links if a in found and b in found])
    news = _news(wanted, found, known_links)
    stirred = _stirred(wanted, found, news)
    closure = rows.Closure({row.id: row for row in stirred}, {})
    if stirred:
        closure = rows.load_closure([row.id for row in stirred], MAX_CLOSURE)
    profile_ids = {row.profile_id for row in found.values()} | closure.profile_ids()
    rows.lock_profiles(profile_ids)
    _check_still_so(found, closure, stirred)
    plan = make_plan(wanted.seen, news, found, closure, kinds, cause)
    if plan.needs_lock - profile_ids:
        rows.lock_profiles(plan.needs_lock - profile_ids)
    created = apply_plan(plan, said, by=by)
    return _woven(wanted, found, plan, created)


def _news(
    wanted: Wanted, found: Mapping[Pair, IdentifierRow], known: Mapping[tuple[int, int], LinkRow]
) -> dict[tuple[Pair, Pair], rows.LinkSaid]:
    """Return the links that are new, or that are now said earlier, or more strongly, than before."""
    news = {}
    for ends, said in wanted.links.items():
        one, other = found.get(ends[0]), found.get(ends[1])
        there = known.get((min(one.id, other.id), max(one.id, other.id))) if one and other else None
        if there is None or there.improved_by(said):
            news[ends] = said
    return news


def _stirred(
    wanted: Wanted, found: Mapping[Pair, IdentifierRow], news: Mapping[tuple[Pair, Pair], rows.LinkSaid]
) -> list[IdentifierRow]:
    """Return the known identifiers whose people may have to be joined or parted anew."""
    stirred = {pair for ends in news for pair in ends if pair in found}
    stirred |= {pair for pair, row in found.items() if wanted.seen[pair].verified and not row.verified}
    return [found[pair] for pair in stirred]


def _check_still_so(found: Mapping[Pair, IdentifierRow], closure: rows.Closure, stirred: list[IdentifierRow]) -> None:
    """Raise Stale when, between look-up and lock, somebody moved an identifier or added a link."""
    now = rows.current_profiles([row.id for row in found.values()])
    if any(now.get(row.id) != row.profile_id for row in found.values()):
        raise Stale
    if stirred:
        again = rows.load_closure([row.id for row in stirred], MAX_CLOSURE)
        if again.signature() != closure.signature():
            raise Stale


def _woven(wanted: Wanted, found: dict[Pair, IdentifierRow], plan: Plan, created: dict[Pair, IdentifierRow]) -> Woven:
    identifiers = {**found, **created}
    for pair, row in identifiers.items():
        target = plan.new_profile_of.get(row.id)
        if target is not None and target != row.profile_id:
            identifiers[pair] = row.moved_to(target)
    changed = {row.profile_id for row in created.values()} | plan.changed_profile_ids
    changed |= {
        identifiers[pair].profile_id for pair, row in found.items() if wanted.seen[pair].verified and not row.verified
    }
    return Woven(identifiers, set(plan.created_profile_ids), plan.moves, changed)


def reweave(identifier_ids: Iterable[int], kinds: Mapping[str, Kind], *, cause: str, by: int | None = None) -> Woven:
    """Part and join anew everybody that these identifiers are linked with, after a link was denied or allowed."""
    ids = sorted(set(identifier_ids))
    for _round in range(MAX_ROUNDS):
        closure = rows.load_closure(ids, MAX_CLOSURE)
        rows.lock_profiles(closure.profile_ids())
        again = rows.load_closure(ids, MAX_CLOSURE)
        if again.signature() != closure.signature():
            continue
        plan = make_plan({}, {}, {}, again, kinds, cause)
        rows.lock_profiles(plan.needs_lock - again.profile_ids())
        apply_plan(plan, {}, by=by)
        return Woven({}, set(plan.created_profile_ids), plan.moves, set(plan.changed_profile_ids))
    raise Stale("identifiers kept changing under this step")
