"""Who is who depends on the set of links, never on their order."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.identity.graph import Kind, Link, Node, partition

KINDS = {
    "user_id": Kind("user_id", 1, 1),
    "email": Kind("email", 2, 2),
    "anonymous_id": Kind("anonymous_id", 9, 3),
}


def people(nodes: list[Node], links: list[Link]) -> set[frozenset[str]]:
    """Return the groups as sets of written values."""
    by_id = {node.id: node for node in nodes}
    return {
        frozenset(f"{by_id[i].kind}:{by_id[i].value}" for i in group) for group in partition(nodes, links, KINDS).groups
    }


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Node], list[Link]]:
    count = draw(st.integers(2, 10))
    nodes = [Node(i, draw(st.sampled_from(sorted(KINDS))), f"v{i}", draw(st.booleans())) for i in range(count)]
    pairs = draw(
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda p: p[0] < p[1]),
            unique=True,
            max_size=14,
        )
    )
    links = [
        Link(
            low,
            high,
            draw(st.integers(0, 4)),
            draw(st.sampled_from("abc")),
            weak=draw(st.booleans()),
            manual=draw(st.sampled_from([False, False, False, True])),
            denied=draw(st.sampled_from([False, False, False, True])),
        )
        for low, high in pairs
    ]
    return nodes, links


@given(graphs(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_order_and_numbering_make_no_difference(graph: tuple[list[Node], list[Link]], chance: random.Random) -> None:
    nodes, links = graph
    numbers = list(range(100, 100 + len(nodes)))
    chance.shuffle(numbers)
    again = [Node(numbers[node.id], node.kind, node.value, node.trusted) for node in nodes]
    turned = []
    for link in links:
        low, high = sorted((numbers[link.low], numbers[link.high]))
        turned.append(Link(low, high, link.at, link.tie, link.weak, link.manual, link.denied))
    chance.shuffle(again)
    chance.shuffle(turned)
    assert people(nodes, links) == people(again, turned)


@given(graphs())
@settings(max_examples=200, deadline=None)
def test_every_identifier_is_in_one_group_and_no_group_holds_a_denied_pair(
    graph: tuple[list[Node], list[Link]],
) -> None:
    nodes, links = graph
    result = partition(nodes, links, KINDS)
    assert sorted(i for group in result.groups for i in group) == [node.id for node in nodes]
    for link in links:
        if link.denied:
            assert not any({link.low, link.high} <= group for group in result.groups)


@given(graphs())
@settings(max_examples=200, deadline=None)
def test_without_manual_links_no_group_breaks_a_limit(graph: tuple[list[Node], list[Link]]) -> None:
    nodes, links = graph
    by_id = {node.id: node for node in nodes}
    for group in partition(nodes, [link for link in links if not link.manual], KINDS).groups:
        for name, kind in KINDS.items():
            assert sum(by_id[i].kind == name for i in group) <= kind.limit


def test_a_second_user_id_on_a_shared_device_stays_another_person() -> None:
    nodes = [Node(1, "user_id", "u1"), Node(2, "anonymous_id", "a"), Node(3, "user_id", "u2")]
    links = [Link(1, 2, 1, "a"), Link(2, 3, 2, "b")]
    result = partition(nodes, links, KINDS)
    assert set(result.groups) == {frozenset({1, 2}), frozenset({3})}
    assert [refusal.cause for refusal in result.refused] == ["limit"]


def test_a_public_claim_on_an_address_joins_no_two_known_people() -> None:
    known = [Node(1, "user_id", "u1"), Node(2, "email", "anna@shop.nl", trusted=True)]
    claim = [Link(1, 2, 1, "a", weak=True)]
    assert len(partition(known, claim, KINDS).groups) == 2
    unknown = [known[0], Node(2, "email", "anna@shop.nl")]
    assert len(partition(unknown, claim, KINDS).groups) == 1


def test_a_value_that_many_share_joins_nobody() -> None:
    nodes = [Node(0, "anonymous_id", "kiosk"), *(Node(i, "user_id", f"u{i}") for i in range(1, 30))]
    links = [Link(0, i, i, "a") for i in range(1, 30)]
    result = partition(nodes, links, KINDS)
    assert len(result.groups) == 30
    assert {refusal.cause for refusal in result.refused} == {"shared"}
