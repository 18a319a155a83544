"""Values that only an erased person gave leave the catalogue; those of others stay."""

from __future__ import annotations

from typing import Any

import pytest

from profiles.catalogue.forgetting import forget_person
from profiles.models import CatalogueEntry
from tests.profiles.processing.inbox import identify, person, send, source, track

pytestmark = pytest.mark.django_db


def values(path: str) -> dict[str, int]:
    return dict(CatalogueEntry.objects.get(path=path).top_values)


def test_what_others_gave_too_stays(django_capture_on_commit_callbacks: Any) -> None:
    origin = source()
    with django_capture_on_commit_callbacks(execute=True):
        for user in ("anna", "bert", "carla"):
            for number in range(3):
                note = {"colour": "red", "words": f"{user} says hello", "lines": [{"size": "XL"}]}
                send(origin, track(f"{user}{number}", "Order", number, userId=user, properties=note))
            send(origin, identify(f"{user}-i", userId=user, traits={"motto": f"{user} first", "town": "Ede"}))
        send(origin, identify("anna-j", 9, userId="anna", traits={"motto": "never mind"}))
    assert values("words")["anna says hello"] == 3
    assert forget_person(person("user_id", "anna").pk) > 0
    assert values("words") == {"bert says hello": 3, "carla says hello": 3}
    assert values("colour") == {"red": 9} and values("lines[].size") == {"XL": 9}
    assert values("city") == {"Ede": 3}  # `town` is a word for it
    assert not any("anna" in value or value == "never mind" for value in values("motto"))
