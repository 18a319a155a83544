"""Decide, without a database, what a block changes about who is who."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from profiles.changes import IdentifierMove
from profiles.identity.bounds import held_links
from profiles.identity.graph import Kind, Link, Node, Partition, Refusal, kind_of, partition
from profiles.resolution.closure import Closure
from profiles.resolution.rows import IdentifierRow, LinkClaim, Pair, Seen, is_of_file

Ends = tuple[Pair, Pair]

#: refusals that somebody should look at; a shared device or a denied link is settled
TO_REVIEW = frozenset({"limit", "weak", "size"})


@dataclass(slots=True)
class NewIdentifier:
    """An identifier to be written. A profile below zero is one that must still be given an id."""

    seen: Seen
    profile_id: int
    anchored: int | None
    tied: bool


@dataclass(frozen=True, slots=True)
class Merging:
    """A profile that goes up in another, with the identifiers of both sides at that moment."""

    winner_id: int
    loser_id: int
    moved: tuple[int, ...]
    kept: tuple[int, ...]


@dataclass(slots=True)
class Review:
    """Two profiles that a link would have made one; somebody is to look."""

    ends: Ends
    cause: str
    one_id: int
    other_id: int


@dataclass(slots=True)
class Plan:
    """What to write. Profile ids below zero stand for profiles yet to be numbered."""

    cause: str
    new: dict[Pair, NewIdentifier] = field(default_factory=dict)
    links: dict[Ends, LinkClaim] = field(default_factory=dict)
    fresh_links: list[tuple[Pair, Pair, LinkClaim]] = field(default_factory=list)  # between identifiers that are new
    held: dict[Ends, LinkClaim] = field(default_factory=dict)
    known: Mapping[Pair, IdentifierRow] = field(default_factory=dict)
    trusted: dict[int, datetime] = field(default_factory=dict)  # identifiers that a trusted source gives (earlier) now
    used: set[int] = field(default_factory=set)  # identifiers on which something hangs from now on
    tied: dict[int, bool] = field(default_factory=dict)  # identifiers of which this changes
    removed: set[int] = field(default_factory=set)  # identifiers that no person has, and nothing hangs on
    new_profile_of: dict[int, int] = field(default_factory=dict)  # identifier -> profile, for all that were weighed
    anchors: dict[int, int] = field(default_factory=dict)  # identifier -> profile that it now anchors
    moves: list[IdentifierMove] = field(default_factory=list)
    merges: list[Merging] = field(default_factory=list)
    unmerged: set[int] = field(default_factory=set)  # profiles that are people of their own again
    repointed: dict[int, int] = field(default_factory=dict)  # merged profile -> where it now is
    reviews: list[Review] = field(default_factory=list)
    created_profile_ids: list[int] = field(default_factory=list)

    @property
    def needs_lock(self) -> set[int]:
        """Return the existing profiles that this plan writes to."""
        moved = {id for move in self.moves for id in (move.from_profile_id, move.to_profile_id) if id > 0}
        return moved | self.unmerged | self.repointed.keys()


def make_plan(
    seen: Mapping[Pair, Seen],
    new_links: Mapping[Ends, LinkClaim],
    found: Mapping[Pair, IdentifierRow],
    closure: Closure,
    kinds: Mapping[str, Kind],
    cause: str,
) -> Plan:
    """Return what changes: the partition of everything affected, compared with how things are."""
    plan = Plan(cause, known={**{(row.kind, row.value): row for row in closure.identifiers.values()}, **found})
    plan.trusted = {
        row.id: at
        for pair, row in found.items()
        if seen[pair].vouches_for(row) and (at := seen[pair].trusted_at) is not None
    }
    plan.used = {row.id for pair, row in found.items() if seen[pair].in_use and not row.in_use}
    new_ids = {pair: -number for number, pair in enumerate((pair for pair in seen if pair not in found), 1)}
    if not new_ids and not closure.identifiers:
        return plan
    work = _Weighing(plan, seen, new_ids, found, closure, kinds)
    result = work.weigh(new_links)
    work.settle(result)
    work.note_links(new_links)
    work.review(result.refused)
    return plan


class _Weighing:
    """One run of the partition, and what follows from it."""

    def __init__(
        self,
        plan: Plan,
        seen: Mapping[Pair, Seen],
        new_ids: Mapping[Pair, int],
        found: Mapping[Pair, IdentifierRow],
        closure: Closure,
        kinds: Mapping[str, Kind],
    ) -> None:
        self.plan, self.seen, self.new_ids, self.found = plan, seen, new_ids, found
        self.closure, self.kinds = closure, kinds
        self.nodes = {
            row.id: Node(row.id, row.kind, row.value, row.trusted_at is not None or row.id in plan.trusted)
            for row in closure.identifiers.values()
        }
        self.nodes.update((id, Node(id, *pair, seen[pair].trusted_at is not None)) for pair, id in new_ids.items())
        self.pairs = {node.id: (node.kind, node.value) for node in self.nodes.values()}
        #: new identifiers that nobody is and nothing hangs on: they are not stored
        self.surplus: set[Pair] = set()
        self.staff: set[int] = set()  # identifiers of which staff said whose they are, or are not

    # Weighing ------------------------------------------------------------------------------------------------------
    def weigh(self, new_links: Mapping[Ends, LinkClaim]) -> Partition:
        """Return the people as they will be; links that would make too much hang together are put aside."""
        closure, plan = self.closure, self.plan
        stored = {
            ends: Link(link.low, link.high, link.at.timestamp(), link.tie, link.weak, link.manual, link.denied)
            for ends, link in closure.links.items()
        }
        new: dict[tuple[int, int], tuple[Ends, Link]] = {}
        for ends, claim in new_links.items():
            link = self._link(ends, claim)
            new[(link.low, link.high)] = (ends, _with_stored(link, stored.get((link.low, link.high))))
        held = held_links(
            self.nodes,
            [link for ids, link in stored.items() if ids not in new],
            [link for _ends, link in new.values()],
            self.kinds,
            closure.outside,
            closure.cut,
        )
        for link in held:
            ends, _link = new.pop((link.low, link.high))
            plan.held[ends] = new_links[ends]
        weighed = {**stored, **{ids: link for ids, (_ends, link) in new.items()}}
        self.staff = {end for link in weighed.values() if link.manual or link.denied for end in (link.low, link.high)}
        nodes = [node for id, node in self.nodes.items() if id not in closure.cut]
        return partition(nodes, weighed.values(), self.kinds, closure.outside)

    def _link(self, ends: Ends, claim: LinkClaim) -> Link:
        a, b = (self.new_ids[pair] if pair in self.new_ids else self.found[pair].id for pair in ends)
        return Link(min(a, b), max(a, b), claim.at.timestamp(), claim.tie, claim.weak, claim.manual)

    # Settling ------------------------------------------------------------------------------------------------------
    def settle(self, result: Partition) -> None:
        """Compare the groups with how things are, and note new identifiers, moves, merges and unmerges."""
        plan, closure = self.plan, self.closure
        kept = [group for group in result.groups if self._is_somebody(group)]
        moved: dict[tuple[int, int], list[int]] = defaultdict(list)
        for group, target, anchor in self._targets(kept):
            if target < 0:
                plan.created_profile_ids.append(target)
            for id in sorted(group):
                tied = id not in result.untied
                if id < 0:
                    pair = self.pairs[id]
                    plan.new[pair] = NewIdentifier(self.seen[pair], target, target if id == anchor else None, tied)
                    continue
                row = closure.identifiers[id]
                plan.new_profile_of[id] = target
                if row.tied != tied:
                    plan.tied[id] = tied
                if id == anchor:
                    plan.anchors[id] = target
                if row.profile_id != target:
                    plan.moves.append(_move(row, target, plan.cause))
                    moved[(row.profile_id, target)].append(id)
                    _note_anchor(plan, row, target)
        for (loser, winner), ids in moved.items():
            if plan.repointed.get(loser) == winner:
                before = sorted(row.id for row in closure.identifiers.values() if row.profile_id == winner)
                plan.merges.append(Merging(winner, loser, tuple(ids), tuple(before)))

    def _is_somebody(self, group: Collection[int]) -> bool:
        """Tell whether a group is a person; if not, note that its identifiers go.

        A device or an address beyond the limit of the person it was named with is nobody, as long as nothing hangs on
        it: a library that makes up a device for every event would otherwise make a person for every event.
        """
        rows = [self.closure.identifiers[id] for id in group if id > 0]
        if any(self._in_use(id) for id in group) or any(row.anchored is not None for row in rows):
            return True
        if not self.staff.isdisjoint(group):
            return True
        self.surplus |= {self.pairs[id] for id in group if id < 0}
        self.plan.removed |= {row.id for row in rows}
        return False

    def _in_use(self, id: int) -> bool:
        seen = self.seen.get(self.pairs[id])
        return (seen is not None and seen.in_use) or (id > 0 and self.closure.identifiers[id].in_use)

    def _targets(self, groups: list[frozenset[int]]) -> Iterator[tuple[frozenset[int], int, int | None]]:
        """Yield for each group (itself, its profile, the identifier that now anchors it or None when one already does).

        The lowest profile that a member anchored; else the one that members are in and that nobody anchored (rows made
        by hand); else a new one, numbered below zero.
        """
        anchored = {row.anchored for row in self.closure.identifiers.values() if row.anchored is not None}
        taken: set[int] = set()
        fresh = 0
        for group in groups:
            rows = [self.closure.identifiers[id] for id in group if id > 0]
            own = [row.anchored for row in rows if row.anchored is not None]
            if own:
                yield group, min(own), None
                continue
            orphaned = sorted({row.profile_id for row in rows} - anchored - taken)
            if orphaned:
                taken.add(orphaned[0])
                yield group, orphaned[0], self._anchor(group)
            else:
                fresh -= 1
                yield group, fresh, self._anchor(group)

    def _anchor(self, group: frozenset[int]) -> int:
        """Return the member that a new profile comes to life with: the strongest on which something hangs."""
        if len(group) == 1:
            return next(iter(group))
        return min(group, key=lambda id: (not self._in_use(id), *self._place(id)))

    def _place(self, id: int) -> tuple[int, str, str]:
        node = self.nodes[id]
        return kind_of(node.kind, self.kinds).priority, node.kind, node.value

    # Links and reviews ---------------------------------------------------------------------------------------------
    def note_links(self, new_links: Mapping[Ends, LinkClaim]) -> None:
        """Note the links to write: those between identifiers that are stored."""
        plan = self.plan
        gone = self.surplus | {self.pairs[id] for id in plan.removed}
        plan.held = {ends: claim for ends, claim in plan.held.items() if gone.isdisjoint(ends)}
        plan.links = {
            ends: claim for ends, claim in new_links.items() if ends not in plan.held and gone.isdisjoint(ends)
        }

    def review(self, refused: Collection[Refusal]) -> None:
        """Put the links that hold back since now on the list for somebody to look at.

        A device beyond a person's limit is no question; whether two known people are one is.
        """
        plan = self.plan
        for refusal in refused:
            if refusal.cause not in TO_REVIEW or (refusal.link.weak and not refusal.known):
                continue
            one, other = self.pairs[refusal.link.low], self.pairs[refusal.link.high]
            ends = (one, other) if one < other else (other, one)
            if ends in plan.links or self._were_together(refusal.link):
                self._ask(ends, refusal.cause)
        for ends in plan.held:
            self._ask(ends, "size")

    def _were_together(self, link: Link) -> bool:
        """Tell whether what is known since now takes two apart."""
        rows = self.closure.identifiers
        both = link.low in rows and link.high in rows
        return both and rows[link.low].profile_id == rows[link.high].profile_id

    def _ask(self, ends: Ends, cause: str) -> None:
        one, other = (self._profile_of(pair) for pair in ends)
        if one != other:
            self.plan.reviews.append(Review(ends, cause, one, other))

    def _profile_of(self, pair: Pair) -> int:
        if pair in self.plan.new:
            return self.plan.new[pair].profile_id
        row = self.plan.known[pair]
        return self.plan.new_profile_of.get(row.id, row.profile_id)


def _with_stored(link: Link, there: Link | None) -> Link:
    """Return a link with what is stored of it folded in; see profiles.resolution.rows.stronger."""
    if there is None:
        return link
    first = min(link, there, key=lambda item: (item.weak, is_of_file(item.tie), item.at, item.tie))
    manual = link.manual or there.manual
    return Link(link.low, link.high, first.at, first.tie, first.weak, manual, there.denied)


def _move(row: IdentifierRow, target: int, cause: str) -> IdentifierMove:
    return IdentifierMove(
        identifier_id=row.id, from_profile_id=row.profile_id, to_profile_id=target, undo=cause == "undo"
    )


def _note_anchor(plan: Plan, row: IdentifierRow, target: int) -> None:
    """A profile goes where its anchor goes: into another profile, or back to being one of its own."""
    if row.anchored is None:
        return
    if row.anchored == target:
        plan.unmerged.add(target)
    else:
        plan.repointed[row.anchored] = target
