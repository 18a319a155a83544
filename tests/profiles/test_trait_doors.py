"""A usual trait is one trait, whichever door it comes in by and wherever it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from campaigns.sending.context import person_values
from cdp.common.roles import MARKETER
from profiles.models import CatalogueEntry, Profile, Source
from profiles.services.profiles import PersonRow, upsert_person
from profiles.services.traits import set_traits
from segments.membership import refresh_segment
from segments.services import create_segment
from tests.profiles.importing.helpers import imported, person
from tests.profiles.processing.inbox import identify, send, source
from tests.segments.factories import members

pytestmark = pytest.mark.django_db
KNOWN = {
    "first_name": "Anna",
    "name_infix": "de",
    "last_name": "Vries",
    "postal_code": "3511 AB",
    "city": "Utrecht",
}


def by_sdk() -> None:
    address = {"postalCode": "3511 AB", "city": "Utrecht"}
    traits = {"firstName": "Anna", "infix": "de", "lastName": "Vries", "address": address, "emailAddress": "a@shop.nl"}
    send(source(), identify("m1", userId="u1", traits=traits))


def by_api() -> None:
    traits = {"First name": "Anna", "tussenvoegsel": "de", "surname": "Vries", "zip": "3511 AB", "town": "Utrecht"}
    manual = Source.objects.get(slug="manual")
    upsert_person(row=PersonRow(identifiers=[("email", "a@shop.nl")], traits=traits), source=manual)


def by_file() -> None:
    imported("E-mailadres;Voornaam;Tussenvoegsel;Naam;Postcode;Plaats\na@shop.nl;Anna;de;Vries;3511 AB;Utrecht\n")


def by_hand() -> None:
    manual = Source.objects.get(slug="manual")
    made = upsert_person(row=PersonRow(identifiers=[("email", "a@shop.nl")]), source=manual)
    traits = {"firstname": "Anna", "Infix": "de", "familyName": "Vries", "PLZ": "3511 AB", "Plaats": "Utrecht"}
    set_traits(profile_id=made.profile_id or 0, values=traits, source=manual)


@pytest.mark.parametrize("door", [by_sdk, by_api, by_file, by_hand])
def test_every_door_gives_the_same_traits(
    door: Callable[[], None], client_as: Callable[[str], Client], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        door()
    anna = person("email", "a@shop.nl")
    assert anna is not None
    assert {name: value for name, value in anna.traits.items() if name != "email"} == KNOWN
    assert anna.display_name == "Anna de Vries"
    assert set(KNOWN) <= set(CatalogueEntry.objects.filter(scope="trait").values_list("path", flat=True))
    assert "Anna de Vries" in client_as(MARKETER).get(f"/people/{anna.uuid}/").content.decode()


def test_rules_take_every_word_for_a_trait(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        by_sdk()
    for key in ("first_name", "firstName", "Voornaam"):
        include = {"type": "trait", "key": key, "operator": "is", "value": "Anna"}
        made = create_segment(name=key, rule={"include": include, "exclude": None})
        refresh_segment(made.pk)
        assert members(made) == set(Profile.objects.values_list("pk", flat=True)), key


def test_messages_take_every_word_and_put_names_and_addresses_together() -> None:
    keys = {"firstName", "voornaam", "first_name", "full_name", "address", "nothing"}
    values = person_values(KNOWN, keys)
    assert {values[key] for key in ("firstName", "voornaam", "first_name")} == {"Anna"}
    assert values["full_name"] == "Anna de Vries" and "nothing" not in values
    assert values["address"] == {"postal_code": "3511 AB", "postalCode": "3511 AB", "city": "Utrecht"}
    assert person_values({"full_name": "as sent", **KNOWN}, {"full_name"}) == {"full_name": "as sent"}
    assert person_values({}, keys) == {} and json.dumps(person_values(KNOWN, {"*"}))
