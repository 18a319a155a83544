"""The winning value of a trait does not depend on the order in which values arrive."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.identity.traits import Known, derive, is_protected, merge_into, name_is_usable, winners

ASSERTIONS = st.fixed_dictionaries(
    {
        "v": st.one_of(st.none(), st.integers(0, 3), st.text(max_size=2)),
        "t": st.sampled_from(["2026-01-01T00:00:00.000000Z", "2026-01-02T00:00:00.000000Z"]),
        "p": st.integers(1, 2),
        "s": st.sampled_from([None, 1, 2]),
        "m": st.sampled_from(["a", "b"]),
    }
)
SAID = st.dictionaries(st.sampled_from(["plan", "city", "age"]), ASSERTIONS, max_size=3)


def merged(*parts: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for part in parts:
        merge_into(known, deepcopy(part))
    return known


def values(known: dict[str, Any]) -> dict[str, Any]:
    return {name: (item["v"], item["p"], item["t"], item["m"]) for name, item in known.items()}


@given(SAID, SAID, SAID)
@settings(max_examples=300, deadline=None)
def test_merging_commutes_associates_and_repeats_without_effect(a: Any, b: Any, c: Any) -> None:
    assert values(merged(a, b)) == values(merged(b, a))
    assert values(merged(merged(a, b), c)) == values(merged(a, merged(b, c)))
    assert values(merged(a, b, a, b)) == values(merged(a, b))


@given(st.lists(SAID, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_a_persons_traits_do_not_depend_on_the_order_of_identifiers(said: Any, chance: Any) -> None:
    again = list(said)
    chance.shuffle(again)
    assert winners(said)[0] == winners(again)[0]


def test_more_traits_than_allowed_leave_the_same_ones_in_any_order() -> None:
    items = [{f"t{n:04}": {"v": n, "t": "2026", "p": 1, "s": 1, "m": "a"}} for n in range(400)]
    forth, back = merged(*items), merged(*reversed(items))
    assert len(forth) == 300
    assert forth.keys() == back.keys()


def test_null_removes_a_trait_and_a_later_value_brings_it_back() -> None:
    first = {"plan": {"v": "pro", "t": "1", "p": 1, "s": 1, "m": "a"}}
    gone = {"plan": {"v": None, "t": "2", "p": 1, "s": 1, "m": "b"}}
    assert winners([first, gone])[0] == {}
    assert winners([first, gone, {"plan": {**first["plan"], "t": "3"}}])[0] == {"plan": "pro"}


def test_names_that_could_act_are_refused_and_permission_is_protected() -> None:
    assert not any(name_is_usable(name) for name in ("", " ", "__proto__", "a\nb", "x" * 101, "a<b>"))
    assert all(name_is_usable(name) for name in ("first_name", "a__regex", "Größe", "plan:tier", "a.b"))
    assert all(is_protected(name) for name in ("consent", "Consent_newsletter", "role", "is_admin", "subscribed"))
    assert not is_protected("rolex_owner")


def test_mail_goes_to_a_verified_address_only() -> None:
    derived = derive({"email": "thief@evil.nl", "first_name": "Anna"}, [Known("email", "thief@evil.nl", False)])
    assert derived.email == ""
    assert derived.display_name == "Anna"
    both = [Known("email", "thief@evil.nl", False), Known("email", "anna@shop.nl", True)]
    assert derive({"email": "thief@evil.nl"}, both).email == "anna@shop.nl"
