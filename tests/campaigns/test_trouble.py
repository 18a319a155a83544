"""The circuit breaker: trouble that is not about one person pauses the campaign, says why, and burns nobody."""

from __future__ import annotations

import dataclasses

import pytest
from pytest_django import Settings

from campaigns.models import SendQueue
from campaigns.report import report_of
from campaigns.sending.breaker import Breaker, Breakers
from campaigns.sending.verdicts import IN_A_ROW, TOO_MANY, WINDOW
from campaigns.services.campaigns import resume_campaign
from campaigns.smtp import SmtpSession
from profiles.models import Profile
from tests.campaigns.factories import campaign, readers
from tests.campaigns.runs import outcomes, run
from tests.campaigns.sink import Sink
from tests.consent.factories import purpose

CONNECTIONS = 4


def test_a_row_of_messages_not_taken_trips_it_and_one_that_is_taken_begins_anew() -> None:
    breaker = Breaker()
    assert not any(breaker.put_off() for _number in range(IN_A_ROW - 1))
    breaker.taken()
    assert not any(breaker.refused() for _number in range(IN_A_ROW - 1))
    assert breaker.put_off()


def test_more_than_a_twentieth_refused_trips_it_and_a_twentieth_does_not() -> None:
    few, many = Breaker(), Breaker()
    for number in range(WINDOW * 2):
        few.taken()
        assert number % 20 or not few.refused()
    tripped = []
    for number in range(WINDOW):
        many.taken()
        tripped.append(number % 15 == 0 and many.refused())
    assert tripped.index(True) == 15 * (TOO_MANY - 1)


def test_one_campaign_in_trouble_trips_no_other() -> None:
    breakers = Breakers()
    assert [breakers.of(1).put_off() for _number in range(IN_A_ROW)][-1]
    assert not breakers.of(2).put_off() and breakers.of(1) is breakers.of(1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("prefix", "words", "left"), [("no", "were refused", "failed"), ("busy", "put off one message after", "pending")]
)
def test_one_after_another_not_taken_pauses_with_the_reason(sink: Sink, prefix: str, words: str, left: str) -> None:
    news = purpose()
    row = run(campaign(*readers(60, news, prefix=prefix), of=news))
    assert row.status == "paused" and words in row.pause_label
    assert IN_A_ROW <= sum(sink.tried.values()) <= IN_A_ROW + CONNECTIONS
    assert report_of(row).adds_up and report_of(row).tally.of(left) >= IN_A_ROW


@pytest.mark.django_db(transaction=True)
def test_a_server_that_lets_us_not_in_pauses_at_once_and_resuming_sends_everything(
    sink: Sink, settings: Settings
) -> None:
    news = purpose()
    sink.login = True
    settings.MAIL_SERVER = dataclasses.replace(sink.server, username="shop", password="wrong")
    row = run(campaign(*readers(10, news), of=news))
    assert row.status == "paused" and "does not let us in" in row.pause_label and "535" not in row.pause_label
    assert set(outcomes(row).values()) == {("pending", "")} and not sink.mails
    assert set(SendQueue.objects.values_list("attempts", "phase")) == {(0, "waiting")}
    sink.login = False
    settings.MAIL_SERVER = sink.server
    resume_campaign(campaign_id=row.pk)
    assert run(row).status == "done" and set(sink.counts.values()) == {1} and len(sink.counts) == 10


@pytest.mark.django_db(transaction=True)
def test_an_address_that_the_server_cannot_write_fails_alone(sink: Sink) -> None:
    news = purpose()
    good, bad = readers(2, news)
    Profile.objects.filter(pk=bad.pk).update(email="jürgen@klantbeeld.example")
    row = run(campaign(good, bad, of=news))
    assert row.status == "done"
    assert outcomes(row) == {"reader-0": ("sent", ""), "jürgen": ("failed", "refused")}


def test_letters_beyond_ascii_are_refused_by_us_and_the_connection_stays(sink: Sink) -> None:
    with SmtpSession(sink.server) as session:
        result = session.send("hello@shop.example", "jürgen@klantbeeld.example", b"Subject: x\r\n\r\nx")
        assert (result.outcome, result.enhanced) == ("refused", "5.6.7") and "SMTPUTF8" in result.reply
        assert session.send("hello@shop.example", "anna@klantbeeld.example", b"Subject: x\r\n\r\nx").outcome == "sent"
