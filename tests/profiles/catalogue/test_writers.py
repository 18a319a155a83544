"""Whoever writes values tells the catalogue: a file, the API, a colleague (C24)."""

from __future__ import annotations

import pytest

from profiles.models import CatalogueEntry, Profile, Source
from profiles.services.profiles import PersonRow, upsert_people
from profiles.services.traits import set_traits
from tests.profiles.importing.helpers import imported

pytestmark = pytest.mark.django_db(transaction=True)


def entry(path: str) -> tuple[int, list[str]]:
    """Return (people, sources) of a trait."""
    row = CatalogueEntry.objects.get(scope="trait", path=path)
    return row.people, sorted(Source.objects.filter(pk__in=row.source_ids).values_list("kind", flat=True))


def test_a_file_brings_its_traits_of_new_and_of_known_people() -> None:
    imported("email,shoe_size\na@shop.nl,40\nb@shop.nl,41\n")
    assert entry("shoe_size")[0] == 2
    imported("email,favourite\na@shop.nl,bikes\nc@shop.nl,lamps\n")
    assert entry("favourite")[0] == 2
    assert CatalogueEntry.objects.get(path="shoe_size").top_values == {"40": 1, "41": 1}


def test_the_api_and_a_colleague_bring_theirs() -> None:
    source = Source.objects.get(slug="manual")
    upsert_people(rows=[PersonRow(identifiers=[("user_id", "u1")], traits={"plan": "pro"})], source=source, cause="api")
    assert entry("plan")[0] == 1
    person = Profile.objects.get(identifiers__value="u1")
    set_traits(profile_id=person.pk, values={"nick": "Zus"}, source=source)
    assert entry("nick")[0] == 1
