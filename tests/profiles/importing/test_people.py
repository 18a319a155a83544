"""The short way for people of whom nothing is known gives what the rules of identity give."""

from __future__ import annotations

from typing import Any

import pytest

from profiles.models import Identifier, IdentityLink, Import, ImportRow, Profile
from profiles.resolution import resolve
from tests.profiles.importing.helpers import imported, snapshot

pytestmark = pytest.mark.django_db

CONTACTS = (
    "email,klantnummer,phone,city,tags\n"
    'anna@example.org,K1,+31612345678,"Utr\techt\\ ""x""","a;b"\n'
    "bob@example.org,K2,,Gent,\n"
    "carl@example.org,,,,\n"
)


def world() -> list[Any]:
    """Return everything written, free of database ids and times."""
    rows = []
    for row in snapshot():
        row = {name: value for name, value in row.items() if not name.endswith(("_at", "id"))}
        rows.append({**row, "assertions": None, "origins": None, "traits": row.get("traits")})
    return sorted(rows, key=str)


def test_strangers_are_written_as_the_partition_would_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    imported(CONTACTS)
    short, links = world(), IdentityLink.objects.count()
    for model in (IdentityLink, Identifier, Profile, ImportRow, Import):
        model.objects.all().delete()
    monkeypatch.setattr(resolve, "_strangers", lambda observed, found: ([], list(observed)))
    imported(CONTACTS)
    assert world() == short
    assert IdentityLink.objects.count() == links == 3
