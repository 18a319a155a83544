"""Resolve observations of identifiers into people: find or make the identifiers, their links, and who they belong to.

Everything is in bulk, in a bounded number of statements. A block whose identifiers and links are all known costs one
look-up; what is new costs the closure of its links and one run of the pure partition (`profiles.identity.graph`).

Locks: profiles, in id order. Whoever holds a person's row may hang things on it or move its identifiers; a look-up
made before the lock is checked after it, and made again when somebody was faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from profiles.changes import IdentifierMove
from profiles.identity.bounds import Components
from profiles.identity.graph import Kind
from profiles.identity.traits import Assertions
from profiles.resolution.closure import Closure, load_closure
from profiles.resolution.plan import Ends, Plan, make_plan
from profiles.resolution.rows import (
    IdentifierRow,
    LinkClaim,
    LinkRow,
    Pair,
    Seen,
    current_profiles,
    find_identifiers,
    find_links,
    lock_profiles,
    stronger,
)
from profiles.resolution.write import ConcurrentUpdate, apply_plan
from profiles.tombstones import refuse_erased

#: how often a look-up may turn out to be stale before the block is given back
MAX_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Observation:
    """Identifiers that one message carried, the anchor first: what the message says or did hangs on that one.

    What an untrusted source says of identity is a public key's word. `manual`: staff said so.
    """

    identifiers: tuple[Pair, ...]
    at: datetime
    tie: str
    source_id: int | None
    trusted: bool
    manual: bool = False


@dataclass(slots=True)
class Resolved:
    """Who everybody is. Every profile in `profile_ids` is locked until the transaction ends.

    Identifiers beyond a person's limit on which nothing hangs are not stored: they are missing here.
    """

    identifiers: dict[Pair, IdentifierRow]
    created_profile_ids: set[int] = field(default_factory=set)
    moves: list[IdentifierMove] = field(default_factory=list)
    #: profiles whose identifiers changed (new, moved, trusted, tied): traits and derived columns must be made anew
    changed_profile_ids: set[int] = field(default_factory=set)

    def profile_of(self, pair: Pair) -> int:
        """Return the profile of an identifier."""
        return self.identifiers[pair].profile_id


@dataclass(slots=True)
class Wanted:
    """What the observations say, folded: one entry per identifier and per link."""

    seen: dict[Pair, Seen] = field(default_factory=dict)
    links: dict[Ends, LinkClaim] = field(default_factory=dict)


def resolve(
    observations: Iterable[Observation],
    kinds: Mapping[str, Kind],
    *,
    assertions: Mapping[Pair, Assertions] | None = None,
    cause: str = "link",
    by: int | None = None,
) -> Resolved:
    """Find or make everybody that the observations speak of; merge and unmerge people as the links ask.

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
        at, trusted, source_id = observation.at, observation.trusted, observation.source_id
        for pair in observation.identifiers:
            known = seen.get(pair)
            if known is None:
                seen[pair] = Seen(at, at, at if trusted else None, source_id, pair == anchor)
            else:
                known.add(at, trusted, pair == anchor)
            if pair == anchor:
                continue
            ends = (anchor, pair) if anchor < pair else (pair, anchor)
            weak = not (trusted or observation.manual)
            claim = LinkClaim(at, observation.tie, weak, observation.manual, source_id)
            links[ends] = stronger(links[ends], claim) if ends in links else claim
    return wanted


def _resolve_once(
    wanted: Wanted,
    kinds: Mapping[str, Kind],
    assertions: Mapping[Pair, Assertions],
    cause: str,
    by: int | None,
) -> Resolved:
    found = find_identifiers(wanted.seen)
    known_links = find_links([(found[a].id, found[b].id) for a, b in wanted.links if a in found and b in found])
    new_links = _new_links(wanted, found, known_links)
    affected = _affected(wanted, found, new_links)
    closure = load_closure(affected, kinds)
    profile_ids = {row.profile_id for row in found.values()} | closure.profile_ids()
    lock_profiles(profile_ids)
    _check_still_so(found, closure, affected, kinds)
    plan = make_plan(wanted.seen, new_links, found, closure, kinds, cause)
    refuse_erased(plan.new)
    if plan.needs_lock - profile_ids:
        lock_profiles(plan.needs_lock - profile_ids)
    created = apply_plan(plan, assertions, by=by)
    return _resolved(found, closure, plan, created)


def _new_links(
    wanted: Wanted, found: Mapping[Pair, IdentifierRow], known: Mapping[tuple[int, int], LinkRow]
) -> dict[Ends, LinkClaim]:
    """Return the links that are new, or that are now claimed more strongly, or earlier, than before."""
    new_links = {}
    for ends, claim in wanted.links.items():
        one, other = found.get(ends[0]), found.get(ends[1])
        there = known.get((min(one.id, other.id), max(one.id, other.id))) if one and other else None
        if there is None or there.improved_by(claim):
            new_links[ends] = claim
    return new_links


def _affected(
    wanted: Wanted, found: Mapping[Pair, IdentifierRow], new_links: Mapping[Ends, LinkClaim]
) -> list[list[int]]:
    """Return the known identifiers whose people may have to be merged or unmerged, those of one matter together."""
    affected = {pair for ends in new_links for pair in ends if pair in found}
    affected |= {pair for pair, row in found.items() if wanted.seen[pair].trusted_at and not row.trusted_at}
    if not affected:
        return []
    parts: Components[Pair] = Components({*affected, *(pair for ends in new_links for pair in ends)})
    for one, other in new_links:
        parts.join(one, other)
    groups: dict[Pair, list[int]] = {}
    for pair in affected:
        groups.setdefault(parts.root(pair), []).append(found[pair].id)
    return list(groups.values())


def _check_still_so(
    found: Mapping[Pair, IdentifierRow],
    closure: Closure,
    affected: Sequence[Sequence[int]],
    kinds: Mapping[str, Kind],
) -> None:
    """Raise ConcurrentUpdate when, between look-up and lock, somebody moved an identifier or added a link."""
    now = current_profiles([row.id for row in found.values()])
    if any(now.get(row.id) != row.profile_id for row in found.values()):
        raise ConcurrentUpdate
    if affected and load_closure(affected, kinds).signature() != closure.signature():
        raise ConcurrentUpdate


def _resolved(
    found: dict[Pair, IdentifierRow], closure: Closure, plan: Plan, created: dict[Pair, IdentifierRow]
) -> Resolved:
    identifiers = {**found, **created}
    for pair, row in found.items():
        if row.id in plan.removed:
            del identifiers[pair]
        elif plan.new_profile_of.get(row.id, row.profile_id) != row.profile_id:
            identifiers[pair] = row.moved_to(plan.new_profile_of[row.id])
    rows = {row.id: row.profile_id for row in (*found.values(), *closure.identifiers.values())}
    rows.update(plan.new_profile_of)
    changed = {row.profile_id for row in created.values()}
    changed |= {rows[id] for id in (*plan.trusted, *plan.tied, *plan.removed)}
    changed |= {id for move in plan.moves for id in (move.from_profile_id, move.to_profile_id)}
    return Resolved(identifiers, set(plan.created_profile_ids), plan.moves, changed)


def resolve_again(
    identifier_ids: Iterable[int], kinds: Mapping[str, Kind], *, cause: str, by: int | None = None
) -> Resolved:
    """Merge and unmerge anew everybody that these identifiers are linked with, after a link was denied or allowed.

    Raises CdpError `merge.too_large` when too many identifiers hang together to tell.
    """
    groups = [sorted(set(identifier_ids))]
    for _round in range(MAX_ROUNDS):
        closure = load_closure(groups, kinds)
        lock_profiles(closure.profile_ids())
        again = load_closure(groups, kinds)
        if again.signature() != closure.signature():
            continue
        if again.cut:
            raise CdpError("merge.too_large", _("Too many identifiers hang together here to take these apart."))
        plan = make_plan({}, {}, {}, again, kinds, cause)
        lock_profiles(plan.needs_lock - again.profile_ids())
        created = apply_plan(plan, {}, by=by)
        return _resolved({}, again, plan, created)
    raise ConcurrentUpdate("identifiers kept changing under this step")
