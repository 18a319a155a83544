"""Decide, without a database, what a block changes about who is who."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from profiles.changes import IdentifierMove
from profiles.identity.graph import Kind, Link, Node, Refusal, kind_of, partition
from profiles.resolution.rows import Closure, IdentifierRow, LinkClaim, Pair, Seen

#: refusals that somebody should look at; a shared device or a denied link is settled
TO_REVIEW = frozenset({"limit", "weak", "size"})


@dataclass(slots=True)
class NewIdentifier:
    """An identifier to be written. A profile below zero is one that must still be given an id."""

    seen: Seen
    profile_id: int
    anchored: int | None


@dataclass(frozen=True, slots=True)
class Join:
    """A profile that goes up in another, with the identifiers of both sides at that moment."""

    winner_id: int
    loser_id: int
    moved: tuple[int, ...]
    kept: tuple[int, ...]


@dataclass(slots=True)
class Plan:
    """What to write. Profile ids below zero stand for profiles yet to be numbered."""

    cause: str
    new: dict[Pair, NewIdentifier] = field(default_factory=dict)
    links: dict[tuple[Pair, Pair], LinkClaim] = field(default_factory=dict)
    known: Mapping[Pair, IdentifierRow] = field(default_factory=dict)
    trusted: set[int] = field(default_factory=set)
    new_profile_of: dict[int, int] = field(default_factory=dict)  # identifier -> profile, for all that were weighed
    anchors: dict[int, int] = field(default_factory=dict)  # identifier -> profile that it now anchors
    moves: list[IdentifierMove] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    parted: set[int] = field(default_factory=set)  # profiles that are people of their own again
    repointed: dict[int, int] = field(default_factory=dict)  # joined profile -> where it now is
    reviews: list[tuple[tuple[Pair, Pair], str, int, int]] = field(default_factory=list)  # link, cause, profiles
    created_profile_ids: list[int] = field(default_factory=list)

    @property
    def needs_lock(self) -> set[int]:
        """Return the existing profiles that this plan writes to."""
        moved = {id for move in self.moves for id in (move.from_profile_id, move.to_profile_id) if id > 0}
        return moved | self.parted | self.repointed.keys()

    @property
    def changed_profile_ids(self) -> set[int]:
        """Return the profiles that got or lost identifiers."""
        return {id for move in self.moves for id in (move.from_profile_id, move.to_profile_id)}


def make_plan(
    seen: Mapping[Pair, Seen],
    new_links: Mapping[tuple[Pair, Pair], LinkClaim],
    found: Mapping[Pair, IdentifierRow],
    closure: Closure,
    kinds: Mapping[str, Kind],
    cause: str,
) -> Plan:
    """Return what changes: the partition of everything affected, compared with how things are."""
    plan = Plan(cause, links=dict(new_links), known=found)
    plan.trusted = {row.id for pair, row in found.items() if seen[pair].trusted and not row.trusted}
    new_ids = {pair: -number for number, pair in enumerate((pair for pair in seen if pair not in found), 1)}
    if not new_ids and not closure.identifiers:
        return plan
    nodes, pairs = _nodes(seen, new_ids, closure, plan.trusted)
    links = _links(new_links, new_ids, found, closure)
    result = partition(nodes.values(), links, kinds)
    targets = _targets(result.groups, nodes, closure, kinds)
    _settle(plan, result.groups, targets, closure, pairs, seen)
    _review(plan, result.refused, pairs, new_links)
    return plan


def _nodes(
    seen: Mapping[Pair, Seen], new_ids: Mapping[Pair, int], closure: Closure, trusted: set[int]
) -> tuple[dict[int, Node], dict[int, Pair]]:
    nodes = {
        row.id: Node(row.id, row.kind, row.value, row.trusted or row.id in trusted)
        for row in closure.identifiers.values()
    }
    nodes.update((id, Node(id, *pair, seen[pair].trusted)) for pair, id in new_ids.items())
    return nodes, {node.id: (node.kind, node.value) for node in nodes.values()}


def _links(
    new_links: Mapping[tuple[Pair, Pair], LinkClaim],
    new_ids: Mapping[Pair, int],
    found: Mapping[Pair, IdentifierRow],
    closure: Closure,
) -> list[Link]:
    """Return the links as they will be: those stored, with what is claimed now folded in."""
    links = {
        ends: Link(link.low, link.high, link.at.timestamp(), link.tie, link.weak, link.manual, link.denied)
        for ends, link in closure.links.items()
    }
    for (one, other), claim in new_links.items():
        a = new_ids[one] if one in new_ids else found[one].id
        b = new_ids[other] if other in new_ids else found[other].id
        ends = (min(a, b), max(a, b))
        there = links.get(ends)
        at, tie = claim.at.timestamp(), claim.tie
        if there is None:
            links[ends] = Link(*ends, at, tie, claim.weak, claim.manual)
        else:
            at, tie = min((at, tie), (there.at, there.tie))
            links[ends] = Link(*ends, at, tie, there.weak and claim.weak, there.manual or claim.manual, there.denied)
    return list(links.values())


def _targets(
    groups: tuple[frozenset[int], ...], nodes: Mapping[int, Node], closure: Closure, kinds: Mapping[str, Kind]
) -> dict[frozenset[int], tuple[int, int | None]]:
    """Return for each group (its profile, the identifier that now anchors it or None when one already does).

    The lowest profile that a member anchored; else the one that members are in and that nobody anchored (rows made by
    hand); else a new one, numbered below zero.
    """
    anchored = {row.anchored for row in closure.identifiers.values() if row.anchored is not None}
    taken: set[int] = set()
    targets: dict[frozenset[int], tuple[int, int | None]] = {}
    fresh = 0
    for group in groups:
        rows = [closure.identifiers[id] for id in group if id > 0]
        own = [row.anchored for row in rows if row.anchored is not None]
        if own:
            targets[group] = (min(own), None)
            continue
        anchor = group_anchor(group, nodes, kinds)
        orphaned = sorted({row.profile_id for row in rows} - anchored - taken)
        if orphaned:
            taken.add(orphaned[0])
            targets[group] = (orphaned[0], anchor)
        else:
            fresh -= 1
            targets[group] = (fresh, anchor)
    return targets


def group_anchor(group: frozenset[int], nodes: Mapping[int, Node], kinds: Mapping[str, Kind]) -> int:
    """Return the strongest member: the one that a new profile comes to life with."""
    if len(group) == 1:
        return next(iter(group))
    return min(group, key=lambda id: (kind_of(nodes[id].kind, kinds).priority, nodes[id].kind, nodes[id].value))


def _settle(
    plan: Plan,
    groups: tuple[frozenset[int], ...],
    targets: Mapping[frozenset[int], tuple[int, int | None]],
    closure: Closure,
    pairs: Mapping[int, Pair],
    seen: Mapping[Pair, Seen],
) -> None:
    """Compare the groups with how things are, and note new identifiers, moves, joins and partings."""
    joined: dict[tuple[int, int], list[int]] = defaultdict(list)
    for group in groups:
        target, anchor = targets[group]
        if target < 0:
            plan.created_profile_ids.append(target)
        for id in sorted(group):
            if id < 0:
                plan.new[pairs[id]] = NewIdentifier(seen[pairs[id]], target, target if id == anchor else None)
                continue
            row = closure.identifiers[id]
            plan.new_profile_of[id] = target
            if id == anchor:
                plan.anchors[id] = target
            if row.profile_id != target:
                plan.moves.append(
                    IdentifierMove(
                        identifier_id=id,
                        from_profile_id=row.profile_id,
                        to_profile_id=target,
                        undo=plan.cause == "undo",
                    )
                )
                joined[(row.profile_id, target)].append(id)
                _note_anchor(plan, row, target)
    for (loser, winner), moved in joined.items():
        if loser in plan.repointed and plan.repointed[loser] == winner:
            kept = [row.id for row in closure.identifiers.values() if row.profile_id == winner]
            plan.joins.append(Join(winner, loser, tuple(moved), tuple(sorted(kept))))


def _note_anchor(plan: Plan, row: IdentifierRow, target: int) -> None:
    """A profile goes where its anchor goes: into another profile, or back to being one of its own."""
    if row.anchored is None:
        return
    if row.anchored == target:
        plan.parted.add(target)
    else:
        plan.repointed[row.anchored] = target


def _review(
    plan: Plan,
    refused: tuple[Refusal, ...],
    pairs: Mapping[int, Pair],
    new_links: Mapping[tuple[Pair, Pair], LinkClaim],
) -> None:
    """Put the links that were held back just now on the list for somebody to look at."""
    for refusal in refused:
        if refusal.cause not in TO_REVIEW:
            continue
        one, other = pairs[refusal.link.low], pairs[refusal.link.high]
        ends = (one, other) if one < other else (other, one)
        if ends not in new_links:
            continue
        profiles = [
            plan.new[pair].profile_id if pair in plan.new else plan.new_profile_of[plan.known[pair].id] for pair in ends
        ]
        if profiles[0] != profiles[1]:
            plan.reviews.append((ends, refusal.cause, profiles[0], profiles[1]))
