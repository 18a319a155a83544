"""Whichever way a usual trait is written, it is one trait."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.identity.person import person_name
from profiles.identity.trait_names import TRAITS, canonical_name, canonical_traits


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("firstName", "first_name"),
        ("First name", "first_name"),
        ("FIRST_NAME", "first_name"),
        ("voornaam", "first_name"),
        ("Vorname", "first_name"),
        ("prénom", "first_name"),
        ("Tussenvoegsel", "name_infix"),
        ("lastName", "last_name"),
        ("Größe", "Größe"),
        ("Straße", "street"),
        ("postalCode", "postal_code"),
        ("postcode", "postal_code"),
        ("address.postalCode", "postal_code"),
        ("address.city", "city"),
        ("address.floor", "address.floor"),
        ("createdAt", "created_at"),
        ("e-mail", "email"),
        ("emailAddress", "email"),
        ("email_verified", "email_verified"),
        ("mobile", "mobile"),
        ("plan", "plan"),
        ("position", "position"),
        ("company.name", "company.name"),
        ("products[].name", "products[].name"),
        ("x" * 500, "x" * 500),
    ],
)
def test_a_name_has_one_form(written: str, name: str) -> None:
    assert canonical_name(written) == name


def test_the_table_agrees_with_itself() -> None:
    words = [word for name, others in TRAITS.items() for word in (name, *others)]
    assert len(words) == len(set(words))
    assert all(canonical_name(word) == name for name, others in TRAITS.items() for word in (name, *others))


@given(st.text(max_size=100))
def test_a_name_found_is_final(text: str) -> None:
    assert canonical_name(canonical_name(text)) == canonical_name(text)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"firstName": "Anna", "plan": "pro"}, {"first_name": "Anna", "plan": "pro"}),
        ({"firstName": "A", "first_name": "B"}, {"first_name": "B"}),
        ({"firstName": "A", "FIRST NAME": "B"}, {"first_name": "A"}),
        (
            {"address": {"city": "Ede", "postalCode": "6711 AB", "floor": 3}},
            {"city": "Ede", "postal_code": "6711 AB", "address": {"floor": 3}},
        ),
        ({"address": {"city": "Ede"}, "city": "Breda"}, {"city": "Breda"}),
        ({"address": "Markt 1, Ede"}, {"address": "Markt 1, Ede"}),
        ({"address": None, "first_name": None}, {"address": None, "first_name": None}),
        ({"address": {"country": {"code": "NL"}}}, {"country": {"code": "NL"}}),
    ],
)  # fmt: skip
def test_traits_are_kept_under_their_one_names(given_: dict[str, Any], kept: dict[str, Any]) -> None:
    assert canonical_traits(given_) == kept


@given(
    st.dictionaries(
        st.sampled_from([*TRAITS, "firstName", "Postcode", "address", "plan"]),
        st.none() | st.just({"city": 1}) | st.integers(),
    )
)
def test_one_pass_is_enough(values: dict[str, Any]) -> None:
    assert canonical_traits(canonical_traits(values)) == canonical_traits(values)


@pytest.mark.parametrize(
    ("traits", "name"),
    [
        ({"first_name": "Anna", "name_infix": "de", "last_name": "Vries"}, "Anna de Vries"),
        ({"first_name": "Anna", "last_name": "Vos"}, "Anna Vos"),
        ({"name": "A. de Vries", "first_name": "Anna"}, "A. de Vries"),
        ({"name_infix": " van  der ", "last_name": "Berg"}, "van der Berg"),
        ({"first_name": 3}, ""),
    ],
)
def test_the_infix_is_part_of_the_name(traits: dict[str, Any], name: str) -> None:
    assert person_name(traits) == name
