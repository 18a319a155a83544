"""Two ways to write one telephone number are one person's one number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.identity.digests import KeyRing
from profiles.identity.normalise import normalise
from profiles.identity.phones import normal_phone, region_of
from profiles.models import Identifier, Profile, Source
from profiles.services.profiles import PersonRow, upsert_people
from tests.profiles.processing.inbox import identify, send, source

ONE = "+31612345678"


@pytest.mark.parametrize(
    "written",
    [
        "+31612345678",
        "+31 6 12345678",
        "+31 (0)6 12345678",
        "+31(0)6-12 34 56 78",
        "(+31) 6 12345678",
        "0031612345678",
        "00 31 6 1234 5678",
        "0612345678",
        "06-12345678",
        "06 - 12 34 56 78",
        "(06) 12345678",
        "06/12345678",
        "06.1234.5678",
        "612345678",  # a spreadsheet took the zero
        "31612345678",
        "tel:+31612345678",
        "\u200e+31 6\u00a012345678\u202c",
        "０６１２３４５６７８",
        612345678,
    ],
)
def test_one_number(written: object) -> None:
    assert normalise("phone", written, "NL") == ONE


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("0475 12 34 56", "BE", "+32475123456"),
        ("+32 (0)475 12 34 56", "NL", "+32475123456"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("(212) 555-2368", "US", "+12125552368"),
        ("+39 06 6982", "NL", "+39066982"),  # Italy keeps the zero
        ("020 123 4567", "NL", "+31201234567"),
    ],
)
def test_a_number_without_a_country_is_of_the_one_given(written: str, region: str, number: str) -> None:
    assert normal_phone(written, region) == number


@pytest.mark.parametrize(
    "written",
    ["", "06", "12345", "0600000000", "+31 6 1234", "0800 1234", "0900-1234", "06-12345678 ext. 5", "no phone", "112"]
    + ["06123456789999", "+", "06-xxxxxxxx", "1" * 41, "=0612345678"],
)
def test_what_nobody_can_be_known_by(written: str) -> None:
    assert normal_phone(written, "NL") == ""


@given(st.text(max_size=30), st.sampled_from(["NL", "US", "IT", "AR"]))
def test_the_one_form_is_final_and_never_raises(text: str, region: str) -> None:
    number = normalise("phone", text, region)
    assert normalise("phone", number, "DE") == number


@given(st.integers(10_000_000, 59_999_999), st.sampled_from(["+31 6 ", "+31 (0)6", "06-", "0031 6", "06 "]))
def test_every_mobile_number_has_one_form(digits: int, begins: str) -> None:
    assert normal_phone(f"{begins}{digits}", "NL") == f"+316{digits}"


@pytest.mark.parametrize(
    ("traits", "context", "region"),
    [
        ({"country": "be"}, {}, "BE"),
        ({"country": "Belgium", "locale": "fr-BE"}, {}, "BE"),
        ({}, {"locale": "de_AT.UTF-8"}, "AT"),
        ({}, {"locale": "zh-Hans-CN"}, "CN"),
        ({"country": "DE"}, {"locale": "nl-NL"}, "DE"),
        ({"country": 3, "locale": None}, {"locale": "nl"}, ""),
    ],
)
def test_traits_and_locale_tell_the_country(traits: dict[str, object], context: dict[str, object], region: str) -> None:
    assert region_of([traits, None], context) == region


def test_a_suppression_holds_for_every_way_to_write_a_number() -> None:
    ring = KeyRing(("a key",))
    assert len({ring.digest("phone", text) for text in ("06-12345678", "+31 (0)6 12345678", ONE)}) == 1


@pytest.mark.django_db
def test_every_door_finds_the_same_person() -> None:
    shop = source()
    send(shop, identify("m1", userId="u1", traits={"phone": "06-12345678", "firstName": "Anna"}))
    manual = Source.objects.get(slug="manual")
    row = PersonRow(identifiers=[("phone", "0031612345678")], traits={"city": "Ede"})
    assert upsert_people(rows=[row], source=manual, cause="api")[0].outcome == "updated"
    send(shop, identify("m2", 1, userId="u2", traits={"phone": "0475 12 34 56", "country": "BE"}))
    anna = Identifier.objects.get(kind="phone", value=ONE).profile
    assert anna.traits == {"phone": ONE, "first_name": "Anna", "city": "Ede"}
    assert Identifier.objects.filter(kind="phone", value="+32475123456").exists()
    assert Profile.objects.count() == 2


@pytest.mark.django_db
def test_what_is_no_number_is_kept_as_a_trait_and_is_no_identifier() -> None:
    send(source(), identify("m1", userId="u1", traits={"phone": "ask the desk"}))
    manual = Source.objects.get(slug="manual")
    row = PersonRow(identifiers=[("user_id", "u1")], traits={"phone": "the desk again"})
    assert upsert_people(rows=[row], source=manual, cause="api")[0].outcome == "updated"
    assert Profile.objects.get().traits == {"phone": "the desk again"}
    assert not Identifier.objects.filter(kind="phone").exists()
