"""The demo's catalogue: an analyst of the shop reads what tells nothing of who somebody is."""

from __future__ import annotations

import pytest

from cdp.common.masking import Reader
from demo.content import ensure_classes
from profiles.models import CatalogueEntry


@pytest.mark.django_db
def test_what_is_not_personal_is_marked_and_what_is_decided_stays() -> None:
    for path in ("country", "city", "first_name"):
        CatalogueEntry.objects.create(scope="trait", path=path)
    CatalogueEntry.objects.create(scope="trait", path="language", pii="personal")
    CatalogueEntry.objects.create(scope="property", event="Order Completed", path="products[].name")
    ensure_classes(None)
    reader = Reader(None)
    traits = {"country": "NL", "city": "Ede", "first_name": "Anna", "language": "Frisian"}
    assert {key: reader.trait(key, value) for key, value in traits.items()} == {
        "country": "NL", "city": "•••", "first_name": "•••", "language": "•••",
    }  # fmt: skip
    order = {"products": [{"name": "Bell", "for": "Anna"}]}
    assert reader.properties("Order Completed", order) == {"products": [{"name": "Bell", "for": "•••"}]}
