"""What campaigns hold of a person: all of it handed over on request, and blanked when the person is erased."""

from __future__ import annotations

import json

import pytest
from django.db import transaction

from campaigns import personal_data
from campaigns.models import Delivery, SendQueue
from campaigns.report import report_of
from campaigns.sending import queue
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import schedule_campaign
from consent.services import erase_person
from profiles.models import Profile
from tests.campaigns.factories import campaign, readers
from tests.campaigns.runs import outcomes, run
from tests.campaigns.sink import Sink
from tests.consent.factories import purpose

pytestmark = pytest.mark.django_db(transaction=True)


def erase(profile_id: int) -> dict[str, int]:
    """Erase what campaigns hold, in a transaction as the erasure service does."""
    with transaction.atomic():
        return personal_data.erase(profile_id)


def test_an_access_request_gets_every_message_with_its_reason_and_values(sink: Sink) -> None:
    news = purpose()
    anna, tom = readers(2, news)
    row = run(campaign(anna, tom, of=news))
    [found] = personal_data.collect(anna.pk)["messages"]
    assert (found["campaign"], found["outcome"], found["subject"]) == (row.name, "sent", "News")
    assert found["filled_in_with"]["person"] == {"first_name": "Reader0"} and found["consent_record"]
    assert "Reader1" not in json.dumps(personal_data.collect(anna.pk))


def test_messages_of_a_person_who_was_joined_into_another_come_along(sink: Sink) -> None:
    news = purpose()
    anna, tom = readers(2, news)
    run(campaign(anna, tom, of=news))
    Profile.objects.filter(pk=tom.pk).update(merged_into=anna)
    assert len(personal_data.collect(anna.pk)["messages"]) == 2
    assert erase(anna.pk)["campaigns_delivery"] == 2


def test_erasing_blanks_what_is_personal_and_keeps_the_figures(sink: Sink) -> None:
    news = purpose()
    anna, tom = readers(2, news)
    row = run(campaign(anna, tom, of=news))
    assert erase(anna.pk) == {"campaigns_delivery": 1, "campaigns_sendqueue": 0}
    gone = Delivery.objects.get(campaign=row, profile_id=anna.pk)
    assert (gone.outcome, gone.context, gone.smtp_reply, gone.address_digest) == ("sent", {}, "", "")
    assert gone.consent_record_id  # the proof that it was allowed stays
    kept = Delivery.objects.get(campaign=row, profile_id=tom.pk)
    assert kept.context["person"]["first_name"] == "Reader1" and kept.address_digest
    assert report_of(row).adds_up and report_of(row).tally.of("sent") == 2
    assert erase(anna.pk) == {"campaigns_delivery": 0, "campaigns_sendqueue": 0}


def test_a_mail_that_waits_for_somebody_erased_is_never_sent(sink: Sink) -> None:
    news = purpose()
    anna, tom = readers(2, news)
    row = campaign(anna, tom, of=news)
    schedule_campaign(campaign_id=row.pk, actor=None)
    start_due_campaigns()
    erase_person(profile_id=anna.pk, actor=None, reason="asked")
    row = run(row)
    assert row.status == "done" and list(sink.counts) == [tom.email]
    delivery = Delivery.objects.get(campaign=row, profile_id=anna.pk)
    assert (delivery.outcome, delivery.reason, delivery.context) == ("skipped", "erased", {})
    assert report_of(row).adds_up


def test_a_mail_at_this_moment_handed_over_is_left_to_its_worker(sink: Sink) -> None:
    news = purpose()
    [anna] = readers(1, news)
    row = campaign(anna, of=news)
    schedule_campaign(campaign_id=row.pk, actor=None)
    start_due_campaigns()
    queue.claim(campaign_id=row.pk, worker="w", limit=1)
    record = Delivery.objects.get(campaign=row).consent_record_id
    assert queue.step(
        campaign_id=row.pk, worker="w", outcome=None, mark=queue.Mark(anna.pk, record, "", None, "d", {"person": {}})
    )
    assert erase(anna.pk)["campaigns_sendqueue"] == 0
    assert SendQueue.objects.get().phase == "handing_over" and list(outcomes(row).values()) == [("pending", "")]
    queue.step(
        campaign_id=row.pk, worker="w", outcome=queue.SendOutcome(anna.pk, "sent", 1, code=250, reply="ok"), mark=None
    )
    assert list(outcomes(row).values()) == [("sent", "")]
