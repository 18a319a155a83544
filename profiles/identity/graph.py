"""Who is who, as a function of the SET of links: whatever order messages arrive in, the same people come out.

Links are taken in one fixed order (by hand first, then strong before weak, then by time of the message, then by
written value), and each joins two groups unless a rule forbids it. Nothing else is looked at: not database ids,
not which message came first through the door.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: more identifiers than this are not one person; the join waits for somebody to look (A20)
MAX_GROUP = 100
#: an identifier seen with more people than this is shared (a kiosk, a constant): it joins nobody
MAX_SHARED = 20


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
    """Two identifiers seen together. `at` and `tie` name the earliest message that carried both."""

    low: int
    high: int
    at: float  # seconds since the epoch
    tie: str
    weak: bool = False
    manual: bool = False
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A link that joins nobody, and why: limit | weak | size | shared | denied."""

    link: Link
    cause: str


@dataclass(frozen=True, slots=True)
class Partition:
    """The people: groups of identifier ids, and the links that were held back."""

    groups: tuple[frozenset[int], ...]
    refused: tuple[Refusal, ...]


@dataclass(slots=True)
class _Group:
    members: set[int]
    kinds: Counter[str]
    known: bool
    barred: set[int] = field(default_factory=set)  # identifiers that a person said are somebody else


def kind_of(name: str, kinds: Mapping[str, Kind]) -> Kind:
    """Return the rules of a kind; one that nobody configured is the weakest."""
    return kinds.get(name) or Kind(name, 99, 5)


def shared_ids(nodes: Mapping[int, Node], links: Iterable[Link], kinds: Mapping[str, Kind]) -> set[int]:
    """Return the identifiers that strong links tie to more stronger identifiers than one person can have."""
    stronger: Counter[int] = Counter()
    for link in links:
        if link.weak or link.manual or link.denied:
            continue
        low, high = kind_of(nodes[link.low].kind, kinds), kind_of(nodes[link.high].kind, kinds)
        if low.priority < high.priority:
            stronger[link.high] += 1
        elif high.priority < low.priority:
            stronger[link.low] += 1
    return {node for node, count in stronger.items() if count > MAX_SHARED}


def partition(nodes: Iterable[Node], links: Iterable[Link], kinds: Mapping[str, Kind]) -> Partition:
    """Return the people that these identifiers and links make.

    A group is known when it has a trusted identifier or one of the strongest kind (a user id). A weak link (a mail
    address that only a public key claimed) never joins two known groups.
    """
    by_id = {node.id: node for node in nodes}
    edges = [link for link in links if link.low in by_id and link.high in by_id]
    shared = shared_ids(by_id, edges, kinds)
    linked = {end for link in edges for end in (link.low, link.high)}
    owner = {id: _alone(by_id[id], kinds) for id in linked}
    refused = []
    for link in edges:
        if link.denied:
            owner[link.low].barred.add(link.high)
            owner[link.high].barred.add(link.low)
            refused.append(Refusal(link, "denied"))
    places = {id: (kind_of(by_id[id].kind, kinds).priority, by_id[id].kind, by_id[id].value) for id in linked}
    for link in sorted((link for link in edges if not link.denied), key=lambda link: _order(link, places)):
        one, other = owner[link.low], owner[link.high]
        if one is other:
            continue
        cause = _objection(link, one, other, shared, kinds)
        if cause:
            refused.append(Refusal(link, cause))
            continue
        if len(one.members) < len(other.members):
            one, other = other, one
        one.members |= other.members
        one.kinds.update(other.kinds)
        one.known = one.known or other.known
        one.barred |= other.barred
        for member in other.members:
            owner[member] = one
    groups = list({id(group): frozenset(group.members) for group in owner.values()}.values())
    groups += [frozenset((id,)) for id in by_id.keys() - linked]
    return Partition(tuple(sorted(groups, key=min)), tuple(refused))


def _alone(node: Node, kinds: Mapping[str, Kind]) -> _Group:
    known = node.trusted or kind_of(node.kind, kinds).priority == 1
    return _Group({node.id}, Counter({node.kind: 1}), known)


def _order(link: Link, places: Mapping[int, tuple[int, str, str]]) -> tuple[object, ...]:
    """Return a link's place in the one fixed order; `places` holds (priority, kind, value) of its ends."""
    low, high = places[link.low], places[link.high]
    return (not link.manual, link.weak, link.at, link.tie, (low, high) if low < high else (high, low))


def _objection(link: Link, one: _Group, other: _Group, shared: set[int], kinds: Mapping[str, Kind]) -> str:
    """Return why this link may not join these groups; empty when it may. By hand only a denial holds it back."""
    if not one.barred.isdisjoint(other.members) or not other.barred.isdisjoint(one.members):
        return "denied"
    if link.manual:
        return ""
    if link.low in shared or link.high in shared:
        return "shared"
    if link.weak and one.known and other.known:
        return "weak"
    if any(
        one.kinds[name] + count > kind_of(name, kinds).limit for name, count in other.kinds.items() if one.kinds[name]
    ):
        return "limit"
    return "size" if len(one.members) + len(other.members) > MAX_GROUP else ""
