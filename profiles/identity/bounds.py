"""How much may hang together before nobody decides by machine who is who.

A new link that would make a component larger than its bound is held: it joins nobody and waits for review. Existing
links are never cut for it, because a partition of a cut graph can move people wrongly.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from profiles.identity.graph import Degree, Kind, Link, Node, count_link, is_known, kind_of

T = TypeVar("T", bound=Hashable)

#: identifiers that may hang together by links of trusted sources
MAX_COMPONENT = 2000
#: the same for links that only a public key made
MAX_WEAK_COMPONENT = 400


def held_links(
    nodes: Mapping[int, Node],
    stored: Collection[Link],
    new: Collection[Link],
    kinds: Mapping[str, Kind],
    outside: Mapping[int, Degree],
    cut: Collection[int] = (),
) -> list[Link]:
    """Return those of the new links that may not be weighed: the first ones in time stay while there is room.

    `stored` are the links among the nodes, `outside` counts those that lead elsewhere. `cut` are nodes of which not
    everything that hangs together is known.
    """
    degrees = {id: Degree(item.strong_up, item.strong, item.up, item.total) for id, item in outside.items()}
    for link in (*stored, *new):
        count_link(degrees, link, kind_of(nodes[link.low].kind, kinds), kind_of(nodes[link.high].kind, kinds))
    parts = Components(nodes)
    for link in stored:
        if _matters(link, nodes, degrees, kinds):
            parts.join(link.low, link.high)
    held = []
    for link in sorted(new, key=lambda link: (not link.manual, link.weak, link.at, link.tie, _written(link, nodes))):
        if link.low in cut or link.high in cut:
            held.append(link)
        elif _matters(link, nodes, degrees, kinds):
            bound = MAX_WEAK_COMPONENT if link.weak else MAX_COMPONENT
            if parts.size_joined(link.low, link.high) > bound:
                held.append(link)
            else:
                parts.join(link.low, link.high)
    return held


def _matters(link: Link, nodes: Mapping[int, Node], degrees: Mapping[int, Degree], kinds: Mapping[str, Kind]) -> bool:
    """Tell whether a link can have a say in who is who; the statement that loads closures follows the same links."""
    if link.denied or link.manual:
        return link.manual and not link.denied
    if any(degrees[end].joins_nobody(weak=link.weak) for end in (link.low, link.high)):
        return False
    return not link.weak or not all(
        is_known(nodes[end].kind, nodes[end].trusted, kinds) for end in (link.low, link.high)
    )


def _written(link: Link, nodes: Mapping[int, Node]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((nodes[end].kind, nodes[end].value) for end in (link.low, link.high)))


class Components(Generic[T]):
    """Sets of nodes that hang together, with their sizes."""

    def __init__(self, nodes: Iterable[T]) -> None:
        self._parent = {node: node for node in nodes}
        self._size = dict.fromkeys(self._parent, 1)

    def root(self, node: T) -> T:
        """Return the node that stands for the component."""
        parent, path = self._parent, []
        while parent[node] != node:
            path.append(node)
            node = parent[node]
        for step in path:
            parent[step] = node
        return node

    def size_joined(self, one: T, other: T) -> int:
        """Return how many nodes joining these two adds up to; 0 when they hang together already."""
        a, b = self.root(one), self.root(other)
        return 0 if a == b else self._size[a] + self._size[b]

    def join(self, one: T, other: T) -> None:
        """Make the components of two nodes one."""
        a, b = self.root(one), self.root(other)
        if a == b:
            return
        if self._size[a] < self._size[b]:
            a, b = b, a
        self._parent[b] = a
        self._size[a] += self._size[b]
