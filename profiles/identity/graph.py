"""Who is who, as a function of the SET of links: whatever order messages arrive in, the same people come out.

Links are taken in one fixed order (by hand first, then trusted, then those that only a public key made, each by the
time of the message and then by written value), and each joins two groups unless a rule forbids it. Nothing else is
looked at: not database ids, not which message came first.

Trusted links alone make the cores; a public key's links only add to them, and never join two cores of known people. So
a person has one core, and whatever hangs on it by a public key's word alone is untied: see `Partition`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: more identifiers than this are not one person; the link waits for somebody to look (A20)
MAX_GROUP = 100
#: an identifier seen with more stronger ones than this is shared (a kiosk, a constant): it joins nobody
MAX_SHARED = 20
#: one with more links than this in all is no person's (a program's user id): it joins nobody either
MAX_CROWD = 200
#: the kind that stands for a browser or an app, not for a person
DEVICE = "anonymous_id"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of identifier: 1 is the strongest priority, `limit` the most values one person may have."""

    name: str
    priority: int
    limit: int


@dataclass(frozen=True, slots=True)
class Node:
    """An identifier. `trusted`: a trusted source gave it, or the person confirmed it."""

    id: int
    kind: str
    value: str
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Two identifiers seen together. `at` and `tie` name the earliest message that carried both.

    `weak`: only a public key said so. `manual`: staff said so. `denied`: staff said that these are two people.
    """

    low: int
    high: int
    at: float  # seconds since the epoch
    tie: str
    weak: bool = False
    manual: bool = False
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A link that joins nobody, and why: limit | weak | size | shared | denied. `known`: both ends are known people."""

    link: Link
    cause: str
    known: bool = False


@dataclass(frozen=True, slots=True)
class Partition:
    """The people: groups of identifier ids; which ids no trusted link ties to their person; the links held back."""

    groups: tuple[frozenset[int], ...]
    untied: frozenset[int]
    refused: tuple[Refusal, ...]


@dataclass(slots=True)
class Degree:
    """How many links an identifier has: to stronger kinds, and in all; those of trusted sources, and all."""

    strong_up: int = 0
    strong: int = 0
    up: int = 0
    total: int = 0

    def add(self, *, weak: bool, up: bool) -> None:
        """Count one link; `up`: its other end is of a stronger kind."""
        self.total += 1
        self.up += up
        if not weak:
            self.strong += 1
            self.strong_up += up

    def joins_nobody(self, *, weak: bool) -> bool:
        """Tell whether links of trusted sources, or (`weak`) those of public keys, join this identifier no more."""
        if weak:
            return self.up > MAX_SHARED or self.total > MAX_CROWD
        return self.strong_up > MAX_SHARED or self.strong > MAX_CROWD


@dataclass(slots=True)
class _Group:
    members: set[int]
    kinds: Counter[str]
    known: bool
    barred: set[int] = field(default_factory=set)  # identifiers that a person said are somebody else


def kind_of(name: str, kinds: Mapping[str, Kind]) -> Kind:
    """Return the rules of a kind; one that nobody configured is the weakest."""
    return kinds.get(name) or Kind(name, 99, 5)


def is_known(kind: str, trusted: bool, kinds: Mapping[str, Kind]) -> bool:
    """Tell whether an identifier by itself makes somebody known: a user id, or an address of a trusted source.

    A device does not, whoever saw it: a server that passes on what a browser calls itself vouches for nobody.
    """
    return kind_of(kind, kinds).priority == 1 or (trusted and kind != DEVICE)


def count_link(degrees: dict[int, Degree], link: Link, low: Kind, high: Kind) -> None:
    """Count a link at both of its ends; links by hand and denied ones do not count."""
    if link.manual or link.denied:
        return
    degrees.setdefault(link.low, Degree()).add(weak=link.weak, up=high.priority < low.priority)
    degrees.setdefault(link.high, Degree()).add(weak=link.weak, up=low.priority < high.priority)


def partition(
    nodes: Iterable[Node],
    links: Iterable[Link],
    kinds: Mapping[str, Kind],
    outside: Mapping[int, Degree] | None = None,
) -> Partition:
    """Return the people that these identifiers and links make.

    `outside` holds, for identifiers that join nobody, the links that lead to nodes not given here. The nodes must be
    complete otherwise: a group that is cut off from part of its links may come out wrong.
    """
    by_id = {node.id: node for node in nodes}
    edges = [link for link in links if link.low in by_id and link.high in by_id]
    degrees: dict[int, Degree] = {
        id: Degree(item.strong_up, item.strong, item.up, item.total) for id, item in (outside or {}).items()
    }
    for link in edges:
        count_link(degrees, link, kind_of(by_id[link.low].kind, kinds), kind_of(by_id[link.high].kind, kinds))
    work = _Work(by_id, kinds, degrees, {end for link in edges for end in (link.low, link.high)})
    for link in edges:
        if link.denied:
            work.bar(link)
    ordered = sorted((link for link in edges if not link.denied), key=work.order)
    for link in ordered:
        if not link.weak or link.manual:
            work.join(link)
    cores = work.groups()
    for link in ordered:
        if link.weak and not link.manual:
            work.join(link)
    groups = list(set(work.groups().values()))
    untied = {id for group in groups for id in group - work.core_of(group, cores)}
    groups += [frozenset((id,)) for id in by_id.keys() - work.owner.keys()]
    return Partition(tuple(sorted(groups, key=min)), frozenset(untied), tuple(work.refused))


class _Work:
    """The groups while links are taken one after the other."""

    def __init__(
        self, nodes: Mapping[int, Node], kinds: Mapping[str, Kind], degrees: Mapping[int, Degree], linked: set[int]
    ) -> None:
        self.nodes, self.kinds, self.degrees = nodes, kinds, degrees
        self.places = {id: (kind_of(nodes[id].kind, kinds).priority, nodes[id].kind, nodes[id].value) for id in linked}
        self.owner = {id: self._alone(nodes[id]) for id in linked}
        self.refused: list[Refusal] = []

    def _alone(self, node: Node) -> _Group:
        return _Group({node.id}, Counter({node.kind: 1}), is_known(node.kind, node.trusted, self.kinds))

    def order(self, link: Link) -> tuple[object, ...]:
        """Return a link's place in the one fixed order: what a public key says of an address comes last."""
        low, high = self.places[link.low], self.places[link.high]
        claim = link.weak and any(place[0] != 1 and place[1] != DEVICE for place in (low, high))
        return (not link.manual, link.weak, claim, link.at, link.tie, (low, high) if low < high else (high, low))

    def groups(self) -> dict[int, frozenset[int]]:
        """Return the group of every identifier, as things stand."""
        made = {id(group): frozenset(group.members) for group in self.owner.values()}
        return {node: made[id(group)] for node, group in self.owner.items()}

    def bar(self, link: Link) -> None:
        """Keep the two ends of a denied link apart."""
        self.owner[link.low].barred.add(link.high)
        self.owner[link.high].barred.add(link.low)
        self.refused.append(Refusal(link, "denied"))

    def join(self, link: Link) -> None:
        """Make one group of two, or note why not."""
        one, other = self.owner[link.low], self.owner[link.high]
        if one is other:
            return
        cause = self._objection(link, one, other)
        if cause:
            self.refused.append(Refusal(link, cause, one.known and other.known))
            return
        if len(one.members) < len(other.members):
            one, other = other, one
        one.members |= other.members
        one.kinds.update(other.kinds)
        one.known = one.known or other.known
        one.barred |= other.barred
        for member in other.members:
            self.owner[member] = one

    def _objection(self, link: Link, one: _Group, other: _Group) -> str:
        """Return why a link may not join these groups; empty when it may. By hand only a denial holds it back."""
        if not one.barred.isdisjoint(other.members) or not other.barred.isdisjoint(one.members):
            return "denied"
        if link.manual:
            return ""
        if any(self.degrees[end].joins_nobody(weak=link.weak) for end in (link.low, link.high)):
            return "shared"
        if link.weak and one.known and other.known:
            return "weak"
        kinds = self.kinds
        if any(
            one.kinds[name] + count > kind_of(name, kinds).limit
            for name, count in other.kinds.items()
            if one.kinds[name]
        ):
            return "limit"
        return "size" if len(one.members) + len(other.members) > MAX_GROUP else ""

    def core_of(self, group: frozenset[int], cores: Mapping[int, frozenset[int]]) -> frozenset[int]:
        """Return the part of a group that trusted links hold together and that makes the person who it is.

        That is the one known core, of which a group has no more than one; among visitors the core of the strongest
        identifier, a trusted one first.
        """
        if cores[next(iter(group))] == group:
            return group
        parts = {cores[id] for id in group}
        return min(parts, key=lambda core: min(self._claim_to_core(id) for id in core))

    def _claim_to_core(self, id: int) -> tuple[object, ...]:
        node = self.nodes[id]
        return (not is_known(node.kind, node.trusted, self.kinds), not node.trusted, self.places[id])
