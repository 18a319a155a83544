"""Resolve observations of identifiers into people: find or make the identifiers, their links, and who they belong to.

Everything is in bulk, in a bounded number of statements. A block whose identifiers and links are all known costs one
look-up; what is new costs the closure of its links and one run of the pure partition (`profiles.identity.graph`).

Locks: profiles, in id order. Whoever holds a person's row may hang things on it or move its identifiers; a look-up
made before the lock is checked after it, and made again when somebody was faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from profiles.changes import IdentifierMove
from profiles.identity.bounds import Components
from profiles.identity.graph import Kind
from profiles.identity.person import Known
from profiles.identity.traits import Assertions
from profiles.resolution.closure import Closure, load_closure
from profiles.resolution.plan import Ends, NewIdentifier, Plan, make_plan
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


class Observation(NamedTuple):
    """Identifiers that one message carried, the anchor first: what the message says or did hangs on that one.

    What an untrusted source says of identity is a public key's word. `manual`: staff said so. `active`: the person did
    something then; what a file, the API or staff says is no doing of the person's.
    """

    identifiers: tuple[Pair, ...]
    at: datetime
    tie: str
    source_id: int | None
    trusted: bool
    manual: bool = False
    active: bool = False
    reserved: int | None = None  # the id for the profile that it makes, if it makes one


@dataclass(slots=True)
class Resolved:
    """Who everybody is. Every profile in `profile_ids` is locked until the transaction ends.

    Identifiers beyond a person's limit on which nothing hangs are not stored: they are missing here.
    """

    identifiers: dict[Pair, IdentifierRow]
    #: identifiers that are new; what was said under them is written
    new: set[Pair] = field(default_factory=set)
    created_profile_ids: set[int] = field(default_factory=set)
    #: identifiers of those of the created profiles that have no others
    made: dict[int, list[Known]] = field(default_factory=dict)
    #: what was stored before of the identifiers, and of the links that are new (None) or changed
    before: Mapping[Pair, IdentifierRow] = field(default_factory=dict)
    links_before: dict[Ends, LinkRow | None] = field(default_factory=dict)
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
    known: Mapping[Pair, IdentifierRow] | None = None,
    asked: bool = False,
    cause: str = "link",
    by: int | None = None,
) -> Resolved:
    """Find or make everybody that the observations speak of; merge and unmerge people as the links ask.

    Must run inside a transaction. `assertions` holds what is said under identifiers, written along with the new ones.
    The caller writes the profiles (`people.write`; those created have an id and no row yet) and announces the moves.
    `known` is what a caller found who decided upon it: ConcurrentUpdate is raised when that is no longer so.
    `asked`: the caller has asked for the tombstones of all these identifiers (`find_erased`) in this transaction.
    """
    observed = list(observations)
    if not observed:
        return Resolved({})
    for _round in range(MAX_ROUNDS):
        try:
            with transaction.atomic():
                return _resolve_once(observed, kinds, assertions or {}, known, asked, cause, by)
        except ConcurrentUpdate:
            if known is not None:
                raise
    raise ConcurrentUpdate("identifiers kept changing under this block")


def fold(observations: Iterable[Observation]) -> Wanted:
    """Fold observations into what is wanted of each identifier and link; the same whatever their order."""
    wanted = Wanted()
    seen, links = wanted.seen, wanted.links
    for observation in observations:
        anchor = observation.identifiers[0]
        at, trusted, source_id = observation.at, observation.trusted, observation.source_id
        active = observation.active
        for pair in observation.identifiers:
            known = seen.get(pair)
            if known is None:
                seen[pair] = Seen(at, at if active else None, at if trusted else None, source_id, pair == anchor)
            else:
                known.add(at, active, trusted, pair == anchor)
            if pair == anchor:
                continue
            ends = (anchor, pair) if anchor < pair else (pair, anchor)
            weak = not (trusted or observation.manual)
            claim = LinkClaim(at, observation.tie, weak, observation.manual, source_id)
            links[ends] = stronger(links[ends], claim) if ends in links else claim
    return wanted


def _resolve_once(
    observed: Sequence[Observation],
    kinds: Mapping[str, Kind],
    assertions: Mapping[Pair, Assertions],
    known: Mapping[Pair, IdentifierRow] | None,
    asked: bool,
    cause: str,
    by: int | None,
) -> Resolved:
    found = find_identifiers({pair for item in observed for pair in item.identifiers}) if known is None else known
    strangers, others = _strangers(observed, found)
    wanted = fold(others)
    known_links = find_links([(found[a].id, found[b].id) for a, b in wanted.links if a in found and b in found])
    new_links = _new_links(wanted, found, known_links)
    affected = _affected(wanted, found, new_links)
    closure = load_closure(affected, kinds)
    profile_ids = {row.profile_id for row in found.values()} | closure.profile_ids()
    lock_profiles(profile_ids)
    _check_still_so(found, closure, affected, kinds)
    there = {pair: row for pair, row in found.items() if pair in wanted.seen}
    plan = make_plan(wanted.seen, new_links, there, closure, kinds, cause)
    for item in strangers:
        _add_stranger(plan, item)
    if not asked:
        refuse_erased(plan.new)
    if plan.needs_lock - profile_ids:
        lock_profiles(plan.needs_lock - profile_ids)
    created = apply_plan(plan, assertions, by=by)
    resolved = _resolved(found, closure, plan, created)
    resolved.made = _made(plan, assertions)
    resolved.links_before = {ends: _stored_link(ends, found, known_links) for ends in plan.links}
    return resolved


def _strangers(
    observed: Sequence[Observation], found: Mapping[Pair, IdentifierRow]
) -> tuple[list[Observation], list[Observation]]:
    """Return (observations of people of whom nothing is known and nothing else is said here, the others).

    What a trusted source says of such a person, one identifier of a kind, is a person by itself whatever the rules:
    files bring them by the million, and need no partition.
    """
    times = Counter(pair for item in observed for pair in item.identifiers)
    strangers: list[Observation] = []
    others: list[Observation] = []
    for item in observed:
        alone = item.trusted and not item.manual
        alone = alone and all(times[pair] == 1 and pair not in found for pair in item.identifiers)
        alone = alone and len({kind for kind, _value in item.identifiers}) == len(item.identifiers)
        (strangers if alone else others).append(item)
    return strangers, others


def _add_stranger(plan: Plan, item: Observation) -> None:
    profile_id = item.reserved if item.reserved is not None else -1 - len(plan.created_profile_ids)
    plan.created_profile_ids.append(profile_id)
    anchor = item.identifiers[0]
    last = item.at if item.active else None
    for pair in item.identifiers:
        seen = Seen(item.at, last, item.at, item.source_id, pair is anchor)
        plan.new[pair] = NewIdentifier(seen, profile_id, profile_id if pair is anchor else None, True)
        if pair is not anchor:
            plan.fresh_links.append((anchor, pair, LinkClaim(item.at, item.tie, False, False, item.source_id)))


def _made(plan: Plan, assertions: Mapping[Pair, Assertions]) -> dict[int, list[Known]]:
    """Return the identifiers of new people who have no others than new ones."""
    made: dict[int, list[Known]] = {id: [] for id in plan.created_profile_ids}
    for move in plan.moves:
        made.pop(move.to_profile_id, None)
    for pair, item in plan.new.items():
        if item.profile_id in made:
            seen = item.seen
            made[item.profile_id].append(
                Known(*pair, seen.trusted_at, seen.first, seen.last, item.tied, None, None, assertions.get(pair, {}))
            )
    return made


def _stored_link(
    ends: Ends, found: Mapping[Pair, IdentifierRow], known: Mapping[tuple[int, int], LinkRow]
) -> LinkRow | None:
    one, other = found.get(ends[0]), found.get(ends[1])
    return known.get((min(one.id, other.id), max(one.id, other.id))) if one and other else None


def _new_links(
    wanted: Wanted, found: Mapping[Pair, IdentifierRow], known: Mapping[tuple[int, int], LinkRow]
) -> dict[Ends, LinkClaim]:
    """Return the links that are new, or that are now claimed more strongly, or earlier, than before."""
    new_links = {}
    for ends, claim in wanted.links.items():
        there = _stored_link(ends, found, known)
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
    found: Mapping[Pair, IdentifierRow], closure: Closure, plan: Plan, created: dict[Pair, IdentifierRow]
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
    return Resolved(
        identifiers,
        new=set(created),
        created_profile_ids=set(plan.created_profile_ids),
        before=found,
        moves=plan.moves,
        changed_profile_ids=changed,
    )


def resolve_again(
    groups: Sequence[Collection[int]], kinds: Mapping[str, Kind], *, cause: str, by: int | None = None
) -> Resolved:
    """Merge and unmerge anew everybody whom these groups of identifiers are linked with, after their links changed.

    Raises CdpError `merge.too_large` when too many identifiers hang together to tell.
    """
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
