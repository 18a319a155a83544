"""What a campaign under way uses is not put away without a word."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from campaigns.models import Campaign
from campaigns.services.campaigns import schedule_campaign
from campaigns.services.messages import archive_message
from cdp.common.errors import CdpError
from segments.services import archive_segment
from tests.campaigns.factories import campaign, readers, segment
from tests.consent.factories import purpose

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", ["scheduled", "sending", "paused"])
def test_a_segment_and_a_message_under_way_stay(client_as: Callable[[str], Client], status: str) -> None:
    news = purpose()
    aside = segment(name="Left out")
    plan = campaign(*readers(2, news), of=news, name="Autumn sale", exclude_segment_ids=(aside.pk,))
    schedule_campaign(campaign_id=plan.pk, actor=None)
    Campaign.objects.filter(pk=plan.pk).update(status=status)
    plan.refresh_from_db()
    assert plan.segment and plan.message
    for used in (plan.segment, aside):
        with pytest.raises(CdpError, match="Autumn sale") as refused:
            archive_segment(segment=used)
        assert (refused.value.code, refused.value.status) == ("segment.in_use", 409)
    with pytest.raises(CdpError, match="Autumn sale"):
        archive_message(message_id=plan.message.pk)
    page = client_as("Marketer").post(f"/segments/{plan.segment.slug}/archive/", follow=True).content.decode()
    assert "Autumn sale" in page


@pytest.mark.parametrize("status", ["draft", "done", "cancelled"])
def test_when_it_has_ended_they_can_go(status: str) -> None:
    news = purpose()
    plan = campaign(*readers(1, news), of=news)
    schedule_campaign(campaign_id=plan.pk, actor=None)
    Campaign.objects.filter(pk=plan.pk).update(status=status)
    plan.refresh_from_db()
    assert plan.segment and plan.message
    assert archive_segment(segment=plan.segment).status == "archived"
    assert archive_message(message_id=plan.message.pk).archived_at
