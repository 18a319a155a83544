"""Sends and starts: one message that cannot be made, one audience that cannot be built, a sender that dies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.audience import write_decisions
from campaigns.models import Campaign, Delivery, SendQueue
from campaigns.sending import queue, starting, worker
from campaigns.sending.compose import compose
from campaigns.services.campaigns import schedule_campaign
from cdp.common.dead_letters import retry_dead_letter
from cdp.common.models import DeadLetter, QueueItem
from cdp.common.queues import holder, queues
from tests.campaigns.factories import campaign, readers
from tests.campaigns.sink import Sink
from tests.consent.factories import purpose
from tests.queues.running import run_scheduled, run_until_given_up

START, SEND = "campaigns.start_due", "campaigns.drain_sends"


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    """Run a mail server that keeps what it gets."""
    server = Sink().start()
    settings.MAIL_SERVER = server.server
    yield server
    server.stop()


def scheduled(count: int, slug: str = "news") -> Campaign:
    news = purpose(slug)
    row = campaign(*readers(count, news, prefix=slug), of=news)
    schedule_campaign(campaign_id=row.pk, actor=None, confirm=count)
    return row


@pytest.mark.django_db(transaction=True)
def test_one_message_that_cannot_be_made_fails_alone_and_can_be_retried(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = scheduled(5)
    run_scheduled(START)
    bad = Delivery.objects.of_campaign(row.pk)[2].profile_id

    def fail(job: Any, **about: Any) -> Any:
        if about["profile_id"] == bad:
            raise KeyError("secret@example.org")
        return compose(job, **about)

    monkeypatch.setattr(worker, "compose", fail)
    run_scheduled(SEND)
    assert len(sink.mails) == 4
    assert SendQueue.objects.get().attempts == 1, "it is tried again before it is failed"
    run_until_given_up(SEND)
    row.refresh_from_db()
    assert row.status == "done"
    assert Delivery.objects.get(campaign_id=row.pk, profile_id=bad).outcome == "failed"
    letter = DeadLetter.objects.get()
    assert letter.queue == "sends" and "KeyError" in letter.error and "secret" not in letter.error
    monkeypatch.undo()
    retry_dead_letter(letter_id=letter.pk)
    run_scheduled(SEND)
    row.refresh_from_db()
    assert row.status == "done" and len(sink.mails) == 5 and set(sink.counts.values()) == {1}


@pytest.mark.django_db(transaction=True)
def test_what_a_dead_sender_had_only_claimed_is_sent_at_once_and_the_rest_waits(sink: Sink) -> None:
    row = scheduled(4)
    run_scheduled(START)
    with holder() as dead:
        name = f"{dead}:host:1/0"
        claimed = queue.claim(campaign_id=row.pk, worker=name, limit=4)
        assert queue.recover() == (0, 0), "it lives"
    first = Delivery.objects.get(campaign_id=row.pk, profile_id=claimed[0][0])
    mark = queue.Mark(first.profile_id, first.consent_record_id, first.basis, None, "d", {})
    assert queue.step(campaign_id=row.pk, worker=name, outcome=None, mark=mark)
    run_scheduled(SEND)
    assert len(sink.mails) == 3
    assert SendQueue.objects.get().phase == "handing_over", "its result may be on the way"


@pytest.mark.django_db
def test_an_audience_that_cannot_be_built_pauses_its_campaign_and_others_start(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, good = scheduled(2), scheduled(2, "other")

    def fail(row: Campaign) -> int:
        if row.pk == broken.pk:
            raise ValueError("secret@example.org")
        return write_decisions(row)

    monkeypatch.setattr(starting, "write_decisions", fail)
    Campaign.objects.update(scheduled_at=timezone.now() - timedelta(seconds=10))
    run_scheduled(START)
    good.refresh_from_db()
    assert good.audience_total == 2
    run_until_given_up(START)
    broken.refresh_from_db()
    assert (broken.status, broken.pause_code) == ("paused", "audience_failed")
    assert "ValueError" in broken.pause_label and "secret" not in broken.pause_label
    letter = DeadLetter.objects.get()
    assert (letter.queue, letter.key) == ("starts", str(broken.pk))
    assert queues.get("starts").measure() == (0, None)
    monkeypatch.undo()
    retry_dead_letter(letter_id=letter.pk)
    run_scheduled(START)
    broken.refresh_from_db()
    assert (broken.status, broken.audience_total) == ("sending", 2)
    assert not QueueItem.objects.filter(queue="starts").exists() and not DeadLetter.objects.exists()
