"""Resolve observations of identifiers into people: find or make the identifiers, their links, and who they belong to.

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

from profiles.changes import IdentifierMove
from profiles.identity.graph import Kind
from profiles.identity.traits import Assertions
from profiles.resolution import rows
from profiles.resolution.plan import Plan, make_plan
from profiles.resolution.rows import IdentifierRow, LinkRow, Pair
from profiles.resolution.write import ConcurrentUpdate, apply_plan
from profiles.tombstones import refuse_erased

#: how often a look-up may turn out to be stale before the block is given back
MAX_ROUNDS = 8
#: a closure larger than this is not followed: its new links wait for review (see A20)
MAX_CLOSURE = 4000


@dataclass(frozen=True, slots=True)
class Observation:
    """Identifiers that one message carried: the anchor first. `weak` are those that only a public key claimed."""

    identifiers: tuple[Pair, ...]
    at: datetime
    tie: str
    source_id: int | None
    trusted: bool
    weak: tuple[Pair, ...] = ()
    manual: bool = False


@dataclass(slots=True)
class Resolved:
    """Who everybody is. Every profile in `profile_ids` is locked until the transaction ends."""

    identifiers: dict[Pair, IdentifierRow]
    created_profile_ids: set[int] = field(default_factory=set)
    moves: list[IdentifierMove] = field(default_factory=list)
    #: profiles whose identifiers changed (new, moved, trusted): their traits and derived columns must be made anew
    changed_profile_ids: set[int] = field(default_factory=set)

    def profile_of(self, pair: Pair) -> int:
        """Return the profile of an identifier."""
        return self.identifiers[pair].profile_id


@dataclass(slots=True)
class Wanted:
    """What the observations say, folded: one entry per identifier and per link."""

    seen: dict[Pair, rows.Seen] = field(default_factory=dict)
    links: dict[tuple[Pair, Pair], rows.LinkClaim] = field(default_factory=dict)


def resolve(
    observations: Iterable[Observation],
    kinds: Mapping[str, Kind],
    *,
    assertions: Mapping[Pair, Assertions] | None = None,
    cause: str = "link",
    by: int | None = None,
) -> Resolved:
    """Find or make everybody that the observations speak of; join and part people as the links ask.

    Must run inside a transaction. `assertions` holds what is claimed under new identifiers, written along with them.
    The caller writes the profiles (`people.refresh`; those created have an id and no row yet) and announces the moves.
    """
    wanted = fold(observations)
    if not wanted.seen:
        return Resolved({})
    for _round in range(MAX_ROUNDS):
        try:
            with transaction.atomic():
                return _resolve_once(wanted, kinds, assertions or {}, cause, by)
        except ConcurrentUpdate:
            continue
    raise ConcurrentUpdate("identifiers kept changing under this block")


def fold(observations: Iterable[Observation]) -> Wanted:
    """Fold observations into what is wanted of each identifier and link; the same whatever their order."""
    wanted = Wanted()
    seen, links = wanted.seen, wanted.links
    for observation in observations:
        anchor = observation.identifiers[0]
        for pair in observation.identifiers:
            known = seen.get(pair)
            if known is None:
                seen[pair] = rows.Seen(observation.at, observation.at, observation.trusted, observation.source_id)
            else:
                known.add(observation.at, observation.trusted)
            if pair == anchor:
                continue
            ends = (anchor, pair) if anchor < pair else (pair, anchor)
            claim = rows.LinkClaim(
                observation.at, observation.tie, pair in observation.weak, observation.manual, observation.source_id
            )
            links[ends] = rows.earliest(links[ends], claim) if ends in links else claim
    return wanted


def _resolve_once(
    wanted: Wanted,
    kinds: Mapping[str, Kind],
    assertions: Mapping[Pair, Assertions],
    cause: str,
    by: int | None,
) -> Resolved:
    found = rows.find_identifiers(wanted.seen)
    known_links = rows.find_links([(found[a].id, found[b].id) for a, b in wanted.links if a in found and b in found])
    new_links = _new_links(wanted, found, known_links)
    affected = _affected(wanted, found, new_links)
    closure = rows.Closure({row.id: row for row in affected}, {})
    if affected:
        closure = rows.load_closure([row.id for row in affected], MAX_CLOSURE)
    profile_ids = {row.profile_id for row in found.values()} | closure.profile_ids()
    rows.lock_profiles(profile_ids)
    _check_still_so(found, closure, affected)
    plan = make_plan(wanted.seen, new_links, found, closure, kinds, cause)
    refuse_erased(plan.new)
    if plan.needs_lock - profile_ids:
        rows.lock_profiles(plan.needs_lock - profile_ids)
    created = apply_plan(plan, assertions, by=by)
    return _resolved(wanted, found, plan, created)


def _new_links(
    wanted: Wanted, found: Mapping[Pair, IdentifierRow], known: Mapping[tuple[int, int], LinkRow]
) -> dict[tuple[Pair, Pair], rows.LinkClaim]:
    """Return the links that are new, or that are now claimed earlier, or more strongly, than before."""
    new_links = {}
    for ends, claim in wanted.links.items():
        one, other = found.get(ends[0]), found.get(ends[1])
        there = known.get((min(one.id, other.id), max(one.id, other.id))) if one and other else None
        if there is None or there.improved_by(claim):
            new_links[ends] = claim
    return new_links


def _affected(
    wanted: Wanted, found: Mapping[Pair, IdentifierRow], new_links: Mapping[tuple[Pair, Pair], rows.LinkClaim]
) -> list[IdentifierRow]:
    """Return the known identifiers whose people may have to be joined or parted anew."""
    affected = {pair for ends in new_links for pair in ends if pair in found}
    affected |= {pair for pair, row in found.items() if wanted.seen[pair].trusted and not row.trusted}
    return [found[pair] for pair in affected]


def _check_still_so(found: Mapping[Pair, IdentifierRow], closure: rows.Closure, affected: list[IdentifierRow]) -> None:
    """Raise ConcurrentUpdate when, between look-up and lock, somebody moved an identifier or added a link."""
    now = rows.current_profiles([row.id for row in found.values()])
    if any(now.get(row.id) != row.profile_id for row in found.values()):
        raise ConcurrentUpdate
    if affected:
        again = rows.load_closure([row.id for row in affected], MAX_CLOSURE)
        if again.signature() != closure.signature():
            raise ConcurrentUpdate


def _resolved(
    wanted: Wanted, found: dict[Pair, IdentifierRow], plan: Plan, created: dict[Pair, IdentifierRow]
) -> Resolved:
    identifiers = {**found, **created}
    for pair, row in identifiers.items():
        target = plan.new_profile_of.get(row.id)
        if target is not None and target != row.profile_id:
            identifiers[pair] = row.moved_to(target)
    changed = {row.profile_id for row in created.values()} | plan.changed_profile_ids
    changed |= {
        identifiers[pair].profile_id for pair, row in found.items() if wanted.seen[pair].trusted and not row.trusted
    }
    return Resolved(identifiers, set(plan.created_profile_ids), plan.moves, changed)


def resolve_again(
    identifier_ids: Iterable[int], kinds: Mapping[str, Kind], *, cause: str, by: int | None = None
) -> Resolved:
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
        return Resolved({}, set(plan.created_profile_ids), plan.moves, set(plan.changed_profile_ids))
    raise ConcurrentUpdate("identifiers kept changing under this step")
