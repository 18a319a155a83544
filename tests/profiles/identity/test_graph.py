"""Who is who depends on the set of links, never on their order."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.identity.bounds import MAX_COMPONENT, MAX_WEAK_COMPONENT, Components, held_links
from profiles.identity.graph import MAX_CROWD, MAX_SHARED, Degree, Kind, Link, Node, is_known, partition

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
    result = partition(known, claim, KINDS)
    assert len(result.groups) == 2
    assert [(refusal.cause, refusal.known) for refusal in result.refused] == [("weak", True)]
    unknown = [known[0], Node(2, "email", "anna@shop.nl")]
    assert len(partition(unknown, claim, KINDS).groups) == 1


def test_a_device_is_nobody_however_trusted_and_follows_a_public_key_untied() -> None:
    nodes = [Node(1, "user_id", "u1", trusted=True), Node(2, "anonymous_id", "d", trusted=True)]
    result = partition(nodes, [Link(1, 2, 1, "a", weak=True)], KINDS)
    assert (result.groups, result.untied) == ((frozenset({1, 2}),), frozenset({2}))
    result = partition(nodes, [Link(1, 2, 1, "a")], KINDS)
    assert (result.groups, result.untied) == ((frozenset({1, 2}),), frozenset())


def test_what_a_public_key_says_of_a_device_loses_to_what_a_trusted_source_says_of_it() -> None:
    nodes = [
        Node(1, "user_id", "victim", trusted=True),
        Node(2, "email", "victim@shop.nl", trusted=True),
        Node(3, "anonymous_id", "device", trusted=True),
        Node(4, "email", "attacker@shop.nl", trusted=True),
    ]
    links = [Link(1, 2, 1, "a"), Link(1, 3, 0, "b", weak=True), Link(3, 4, 9, "c")]
    result = partition(nodes, links, KINDS)
    assert set(result.groups) == {frozenset({1, 2}), frozenset({3, 4})}
    assert result.untied == frozenset()


@given(graphs())
@settings(max_examples=300, deadline=None)
def test_a_public_key_changes_no_core(graph: tuple[list[Node], list[Link]]) -> None:
    nodes, links = graph
    trusted = [link for link in links if not link.weak or link.manual]
    alone = partition(nodes, [*trusted, *(link for link in links if link.denied)], KINDS)
    result = partition(nodes, links, KINDS)
    by_id = {node.id: node for node in nodes}
    for group in result.groups:
        core = group - result.untied
        parts = [part for part in alone.groups if part & group]
        assert all(part <= group for part in parts), "a public key took something out of a core"
        assert core in parts
        known = [part for part in parts if any(is_known(by_id[i].kind, by_id[i].trusted, KINDS) for i in part)]
        assert len(known) <= 1 and (not known or known == [core])


def test_a_value_that_many_share_joins_nobody() -> None:
    nodes = [Node(0, "anonymous_id", "kiosk"), *(Node(i, "user_id", f"u{i}") for i in range(1, 30))]
    links = [Link(0, i, i, "a") for i in range(1, 30)]
    result = partition(nodes, links, KINDS)
    assert len(result.groups) == 30
    assert {refusal.cause for refusal in result.refused} == {"shared"}


def test_an_id_that_very_many_others_hang_on_joins_nobody() -> None:
    many = range(1, MAX_CROWD + 2)
    nodes = [Node(0, "user_id", "cron"), *(Node(i, "anonymous_id", f"d{i}") for i in many)]
    assert len(partition(nodes, [Link(0, i, i, "a") for i in many], KINDS).groups) == len(nodes)


def test_public_keys_can_crowd_out_their_own_links_only() -> None:
    many = range(2, MAX_CROWD + 3)
    nodes = [
        Node(0, "user_id", "v"),
        Node(1, "email", "v@x.nl", True),
        *(Node(i, "anonymous_id", f"d{i}") for i in many),
    ]
    links = [Link(0, 1, 1, "a"), *(Link(0, i, i, "a", weak=True) for i in many)]
    groups = partition(nodes, links, KINDS).groups
    assert frozenset({0, 1}) in groups
    assert len(groups) == len(nodes) - 1


def test_links_that_lead_elsewhere_count_too() -> None:
    nodes = [Node(0, "anonymous_id", "kiosk"), Node(1, "user_id", "u1")]
    many = Degree(strong_up=MAX_SHARED, strong=MAX_SHARED, up=MAX_SHARED, total=MAX_SHARED)
    assert len(partition(nodes, [Link(0, 1, 1, "a")], KINDS).groups) == 1
    assert len(partition(nodes, [Link(0, 1, 1, "a")], KINDS, {0: many}).groups) == 2


# Bounds ------------------------------------------------------------------------------------------------------------
def chain(length: int, weak: bool) -> tuple[dict[int, Node], list[Link]]:
    """Return u0 - d1 - u2 - d3 ...: what an alias chain by one key makes."""
    nodes = {i: Node(i, "anonymous_id" if i % 2 else "user_id", f"v{i:05}") for i in range(length)}
    return nodes, [Link(i, i + 1, i, "a", weak=weak) for i in range(length - 1)]


@pytest.mark.parametrize(("weak", "bound"), [(True, MAX_WEAK_COMPONENT), (False, MAX_COMPONENT)])
def test_the_links_that_would_make_too_much_hang_together_are_held(weak: bool, bound: int) -> None:
    nodes, links = chain(bound + 11, weak)
    held = held_links(nodes, [], links, KINDS, {})
    assert held and links[0] not in held
    parts = Components(nodes)
    for link in links:
        if link not in held:
            parts.join(link.low, link.high)
    assert max(Counter(parts.root(node) for node in nodes).values()) <= bound


def test_a_trusted_link_joins_what_public_keys_blew_up() -> None:
    nodes, links = chain(MAX_WEAK_COMPONENT, weak=True)
    nodes[9999] = Node(9999, "email", "new@shop.nl", True)
    new = Link(0, 9999, 1, "a")
    assert held_links(nodes, links, [new], KINDS, {}) == []
    assert held_links(nodes, links, [Link(0, 9999, 1, "a", weak=True)], KINDS, {}) == []  # two known people: no matter
    nodes[9998] = Node(9998, "anonymous_id", "d")
    assert len(held_links(nodes, links, [Link(0, 9998, 1, "a", weak=True)], KINDS, {})) == 1


def test_nothing_is_decided_about_what_is_not_loaded_whole() -> None:
    nodes = {1: Node(1, "user_id", "u"), 2: Node(2, "anonymous_id", "d")}
    link = Link(1, 2, 1, "a")
    assert held_links(nodes, [], [link], KINDS, {}, cut={1}) == [link]
