"""Who may not see people sees no name, address or number, wherever it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.common.masking import is_personal, mask_email, mask_identifier, mask_name, mask_text, mask_value


def test_names_keep_their_first_letters_only() -> None:
    assert mask_name("Anna de Vries") == "A••• d••• V•••"
    assert mask_name("anna@example.org") == "a•••@e•••.org"
    assert mask_name("") == ""


def test_addresses_keep_the_last_label_only() -> None:
    assert mask_email("anna.de.vries@mail.example.org") == "a•••@m•••.org"
    assert mask_email("no-address") == "n•••"
    assert mask_email("a@b") == "a•••@b•••"


@given(st.emails())
def test_a_masked_address_never_holds_its_own_name(address: str) -> None:
    local = address.rpartition("@")[0]
    if len(local) > 1:
        assert local not in mask_email(address)


def test_identifiers_keep_two_characters_at_most() -> None:
    assert mask_identifier("user_id", "88213") == "•••13"
    assert mask_identifier("user_id", "12") == "•••"
    assert mask_identifier("email", "a@b.nl") == "a•••@b•••.nl"
    assert mask_identifier("crm_id", "anna@example.org") == "a•••@e•••.org"


def test_running_text_and_web_addresses_lose_addresses_and_numbers() -> None:
    text = mask_text("https://shop.example/?email=anna%40example.org&x=1 call +31 6 12345678 or anna@example.org")
    assert "anna" not in text
    assert "12345678" not in text
    assert "x=1" in text


@pytest.mark.parametrize(
    "key",
    ["first_name", "firstName", "e-mail", "homeAddress", "Phone number", "zip_code", "zipCode", "IP", "userAgent"],
)
def test_keys_that_speak_of_who_somebody_is(key: str) -> None:
    assert is_personal(key)


@pytest.mark.parametrize("key", ["plan", "city", "orders", "shipping_method", "mailing_count", "tier", "zipped"])
def test_keys_that_do_not(key: str) -> None:
    assert not is_personal(key)


def test_values_are_masked_inside_lists_and_objects_too() -> None:
    value = {"street": "Oudegracht 1", "since": 2020, "contacts": ["anna@example.org", {"phone": 612345678}]}
    masked = mask_value("delivery", value)
    assert masked == {"street": "•••", "since": 2020, "contacts": ["•••", {"phone": "•••"}]}
    assert mask_value("address", {"line": "Oudegracht 1"}) == {"line": "•••"}
    assert mask_value("newsletter", True) is True
    assert mask_value("email", None) is None


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("orders", 12, 12),
        ("total", 89.95, 89.95),
        ("x", 52.379189, 52.38),  # may be where somebody lives
        ("x", 31612345678, "•••"),
        ("phone", 112, "•••"),
        ("telefoonnummer", 112, "•••"),
        ("klant_id", 7781, "•••"),
        ("orderId", 7781, "•••"),
        ("geboortejaar", 1984, "•••"),
        ("имя", "Анна", "•••"),
        ("Straße", "Hauptweg", "•••"),
        ("x1", "Anna", "•••"),
        ("plan", "gold", "•••"),
        ("currency", "EUR", "EUR"),
        ("currency", "Anna", "•••"),
        ("dag", "1984-07-13", "1984-•••"),
        ("dag", "1984-07-12T22:00:00Z", "1984-•••"),  # a midnight somewhere else
        ("geburtstag", "1984-07-13", "•••"),
        ("ordered_at", "2026-11-03T10:14:55.120Z", "2026-11-03T10:14:55.120Z"),
        ("newsletter", True, True),
        ("nothing", None, None),
        ("empty", "", ""),
    ],
)
def test_only_what_is_surely_not_personal_is_shown(path: str, value: object, shown: object) -> None:
    assert mask_value(path, value) == shown


def test_what_the_catalogue_marks_is_shown_but_for_addresses_in_it() -> None:
    marked = {"plan", "address.city", "lines[].sku", "tags[]"}
    assert mask_value("plan", "gold", marked) == "gold"
    assert mask_value("plan", "of anna@example.org", marked) == "of a•••@e•••.org"
    assert mask_value("address", {"city": "Ede", "street": "A 1"}, marked) == {"city": "Ede", "street": "•••"}
    assert mask_value("lines", [{"sku": "b1", "for": "Anna"}], marked) == [{"sku": "b1", "for": "•••"}]
    assert mask_value("tags", ["new"], marked) == ["new"]


@given(
    st.recursive(st.text(min_size=6), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner))
)
def test_no_text_comes_through_whatever_its_shape(value: object) -> None:
    shown = str(mask_value("x", value))
    assert not set(shown) - set("•[]{}', k:0123456789-TZ.+")
