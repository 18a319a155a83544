"""From a real SDK through the real web process to a person."""

from __future__ import annotations

import pytest
from segment.analytics.client import Client as Segment

from profiles.models import Interaction
from profiles.processing.drain import drain_inbox
from profiles.services.sources import create_source
from tests.live import Site
from tests.profiles.processing.inbox import person


@pytest.mark.django_db(transaction=True)
def test_what_a_real_sdk_sends_becomes_a_person(site: Site) -> None:
    source, key = create_source(name="Shop server", kind="server")
    sdk = Segment(key, host=site.url, sync_mode=False)
    sdk.identify("u-1001", {"email": "anna@shop.nl", "first_name": "Anna"}, anonymous_id="device-1")
    sdk.track("u-1001", "Order Completed", {"revenue": 99.5})
    sdk.page("u-1001", "Shop", "Checkout", {"url": "https://shop.example/checkout"})
    sdk.shutdown()
    drain_inbox(seconds=30)
    anna = person("email", "anna@shop.nl")
    assert anna.display_name == "Anna"
    assert set(Interaction.objects.filter(profile_id=anna.pk, source_id=source.pk).values_list("name", flat=True)) == {
        "Identified",
        "Order Completed",
        "Page Viewed",
    }
