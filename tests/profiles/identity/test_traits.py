"""The winning value of a trait does not depend on the order in which values arrive."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.identity.traits import (
    MAX_SLOTS,
    MAX_TRAITS,
    SENDING_ADDRESS,
    is_protected,
    merge_into,
    name_is_usable,
    winners,
    words_on,
)

ITEM = st.fixed_dictionaries(
    {
        "v": st.one_of(st.none(), st.integers(0, 3), st.text(max_size=2)),
        "t": st.sampled_from(["2026-01-01T00:00:00.000000Z", "2026-01-02T00:00:00.000000Z"]),
        "m": st.sampled_from(["a", "b"]),
        "c": st.just("identify"),
    }
)
SLOTS = st.dictionaries(st.sampled_from(["t1", "t2", "t3:7", "t3:8", "p4", "p5", "pin"]), ITEM, min_size=1, max_size=4)
SAID = st.dictionaries(st.sampled_from(["plan", "city", "age", "consent"]), SLOTS, max_size=3)


def merged(*parts: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for part in parts:
        merge_into(known, deepcopy(part))
    return known


def item(value: Any, at: str = "1") -> dict[str, Any]:
    return {"v": value, "t": at, "m": "", "c": "identify"}


def standing(*parts: dict[str, Any], tied: bool = True) -> dict[str, Any]:
    return winners((part, tied) for part in parts)[0]


@given(SAID, SAID, SAID)
@settings(max_examples=300, deadline=None)
def test_merging_commutes_associates_and_repeats_without_effect(a: Any, b: Any, c: Any) -> None:
    assert merged(a, b) == merged(b, a)
    assert merged(merged(a, b), c) == merged(a, merged(b, c))
    assert merged(a, b, a, b) == merged(a, b)


@given(st.lists(st.tuples(SAID, st.booleans()), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_a_persons_traits_do_not_depend_on_the_order_of_identifiers(said: Any, chance: Any) -> None:
    again = list(said)
    chance.shuffle(again)
    assert winners(said) == winners(again)


@given(st.lists(SAID, min_size=1, max_size=4), st.lists(SAID, min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_folding_before_or_after_a_merge_gives_the_same_values(one: Any, other: Any) -> None:
    assert standing(merged(*one), merged(*other)) == standing(*one, *other) == standing(merged(*one, *other))


@given(st.lists(st.tuples(SAID, st.booleans()), max_size=5))
@settings(max_examples=300, deadline=None)
def test_a_public_key_takes_no_value_from_a_trusted_source(said: Any) -> None:
    trusted = [
        ({name: {s: i for s, i in slots.items() if s[0] == "t" or s == "pin"} for name, slots in part.items()}, True)
        for part, tied in said
        if tied
    ]
    alone, with_public = winners(trusted)[1], winners(said)[1]
    for name, origin in alone.items():
        assert with_public[name] == origin
    assert "consent" not in with_public or "consent" in alone


def test_the_many_traits_of_a_public_key_push_out_no_trusted_one() -> None:
    flood = {f"a{n:04}": {"p4": item(n)} for n in range(MAX_TRAITS)}
    trusted = {"plan": {"t1": item("pro")}, "zip": {"t1": item("1234")}}
    for parts in ((flood, trusted), (trusted, flood)):
        known = merged(*parts)
        assert len(known) == MAX_TRAITS and {"plan", "zip"} <= known.keys()
        across = standing(*parts)
        assert len(across) == MAX_TRAITS and across["plan"] == "pro"


def test_more_traits_than_allowed_leave_the_same_ones_in_any_order() -> None:
    items = [{f"t{n:04}": {"t1": item(n)}} for n in range(400)]
    forth, back = merged(*items), merged(*reversed(items))
    assert len(forth) == MAX_TRAITS
    assert forth.keys() == back.keys()


def test_more_sources_than_kept_leave_the_highest_in_any_order() -> None:
    items = [{"plan": {f"t{n}": item(n, f"{n:03}")}} for n in range(2 * MAX_SLOTS)]
    forth, back = merged(*items), merged(*reversed(items))
    assert forth == back
    assert len(forth["plan"]) == MAX_SLOTS and standing(forth) == {"plan": 2 * MAX_SLOTS - 1}


def test_null_removes_a_trait_and_a_later_value_brings_it_back() -> None:
    first, gone, again = ({"plan": {"t1": item(value, at)}} for value, at in (("pro", "1"), (None, "2"), ("pro", "3")))
    assert standing(first, gone) == {}
    assert standing(first, gone, again) == {"plan": "pro"}


def test_a_pin_stands_and_what_it_covers_comes_back_without_it() -> None:
    pinned = merged({"plan": {"pin": item("vip", "1")}}, {"plan": {"t1": item("pro", "5")}})
    assert winners([(pinned, True)]) == ({"plan": "vip"}, {"plan": {"pin": True, "t": "1", "c": "identify"}})
    del pinned["plan"]["pin"]
    assert standing(pinned) == {"plan": "pro"}


def test_what_is_said_under_a_device_that_only_a_public_key_tied_counts_as_public() -> None:
    own, device = (
        {"plan": {"t1": item("pro", "1")}},
        {"plan": {"t1": item("free", "9")}, "consent": {"t1": item("yes")}},
    )
    assert winners([(own, True), (device, False)])[0] == {"plan": "pro"}
    assert winners([(own, True), (device, True)])[0] == {"plan": "free", "consent": "yes"}


def test_every_ignored_word_has_its_reason() -> None:
    own = {"plan": {"pin": item("vip", "1"), "t1": item("pro", "2"), "t2": item("old", "1"), "p4": item("hack", "9")}}
    device = {"plan": {"t1": item("lent", "8")}}
    of = [(own, True), (device, False)]
    assert [(word.value, word.unused) for word in words_on("plan", of)] == [
        ("vip", ""),
        ("pro", "pinned"),
        ("old", "pinned"),
        ("hack", "pinned"),
        ("lent", "pinned"),
    ]
    del own["plan"]["pin"]
    assert [(word.value, word.unused) for word in words_on("plan", of)] == [
        ("pro", ""),
        ("old", "older"),
        ("hack", "public"),
        ("lent", "untied"),
    ]
    assert words_on("absent", of) == []


def test_names_that_could_act_are_refused_and_permission_is_protected() -> None:
    unusable = ("", " ", "__proto__", "a\nb", "x" * 101, "a<b>", SENDING_ADDRESS)
    assert not any(name_is_usable(name) for name in unusable)
    assert all(name_is_usable(name) for name in ("first_name", "a__regex", "Größe", "plan:tier", "a.b"))
    assert all(is_protected(name) for name in ("consent", "Consent_newsletter", "role", "is_admin", "subscribed"))
    assert not is_protected("rolex_owner")
