"""A campaign from draft to done, over real SMTP: each person once, with the permission that allowed it."""

from __future__ import annotations

import threading
from email import message_from_bytes
from email.policy import default as default_policy

import pytest
from django.db import connection
from django.test import Client

from campaigns.models import Campaign, Delivery, SendQueue
from campaigns.report import report_of
from campaigns.sending import queue
from campaigns.sending.drain import drain_sends
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import (
    cancel_campaign,
    pause_campaign,
    resend_unknown,
    resume_campaign,
    schedule_campaign,
)
from campaigns.services.trouble import hold_campaign
from consent.gate import check
from consent.links import make_token, read_token
from consent.models import PurposeVersion
from consent.services import update_purpose
from profiles.models import Profile
from tests.campaigns.factories import campaign, message, readers, segment
from tests.campaigns.runs import outcomes, run
from tests.campaigns.sink import Sink
from tests.consent.factories import person, purpose, say

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_reader_gets_one_personal_mail_with_a_way_out(sink: Sink) -> None:
    news = purpose()
    row = run(campaign(*readers(3, news), of=news))
    assert row.status == "done"
    assert sink.counts == {f"reader-{number}@klantbeeld.example": 1 for number in range(3)}
    mail = message_from_bytes(sink.mails[0][1], policy=default_policy)
    delivery = Delivery.objects.get(campaign=row, profile_id=Profile.objects.get(email=sink.mails[0][0]).pk)
    assert mail["Message-ID"] == f"<{delivery.uuid}@shop.example>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = mail["List-Unsubscribe"].strip("<>").rstrip("/").rpartition("/")[2]
    link = read_token(token)
    assert link is not None and link.profile_id == delivery.profile_id and link.purpose_id == news.pk
    assert link.reference == f"delivery:{row.pk}:{delivery.profile_id}"
    plain = mail.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert "Hi Reader" in text and token in text and "Utrecht" in text
    assert delivery.outcome == "sent" and delivery.consent_record_id and delivery.context["person"]["first_name"]
    assert all(len(line) <= 998 for line in sink.mails[0][1].split(b"\r\n"))


def test_everybody_of_the_audience_has_a_decision_with_its_reason(sink: Sink) -> None:
    news = purpose()
    good, late = readers(2, news)
    never = person("never@klantbeeld.example")
    gone = person("withdrew@klantbeeld.example")
    say(gone, news, "given")
    say(gone, news, "withdrawn")
    twin = person(None, traits={})
    Profile.objects.filter(pk=twin.pk).update(email=good.email.upper())
    say(twin, news, "given")
    left_out = readers(1, news, prefix="left-out")[0]
    row = campaign(good, late, never, gone, twin, left_out, of=news, exclude_segment_ids=(segment(left_out).pk,))
    row = run(row)
    found = {one.profile_id: (one.outcome, one.reason) for one in Delivery.objects.of_campaign(row.pk)}
    assert found == {
        good.pk: ("sent", ""),
        late.pk: ("sent", ""),
        never.pk: ("skipped", "no_consent"),
        gone.pk: ("skipped", "withdrawn"),
        twin.pk: ("skipped", "duplicate_address"),
        left_out.pk: ("skipped", "excluded"),
    }
    report = report_of(row)
    assert report.adds_up and report.total == 6 and report.tally.of("sent") == 2
    assert sum(sink.counts.values()) == 2


def test_many_workers_send_one_mail_each(sink: Sink) -> None:
    news = purpose()
    row = campaign(*readers(120, news), of=news)
    schedule_campaign(campaign_id=row.pk, actor=None, confirm=120)
    start_all = [threading.Thread(target=_in_thread, args=(start_due_campaigns,)) for _ in range(4)]
    for thread in start_all:
        thread.start()
    for thread in start_all:
        thread.join()
    drains = [threading.Thread(target=_in_thread, args=(drain_sends,)) for _ in range(4)]
    for thread in drains:
        thread.start()
    for thread in drains:
        thread.join()
    while drain_sends():
        pass
    row.refresh_from_db()
    assert row.status == "done" and row.audience_total == 120
    assert set(sink.counts.values()) == {1} and len(sink.counts) == 120


def _in_thread(work: object) -> None:
    try:
        work()  # type: ignore[operator]
    finally:
        connection.close()


def test_a_withdrawal_while_sending_is_honoured(sink: Sink) -> None:
    news = purpose()
    people = readers(60, news)
    said: list[str] = []

    def withdraw(recipient: str) -> None:
        if not said:
            said.append(recipient)
            for one in people[30:]:
                say(one, news, "withdrawn")
            connection.close()

    sink.delay = 0.1  # sixty mails over several connections take longer than an answer of the gate stays fresh
    sink.on_store.append(withdraw)
    row = run(campaign(*people, of=news))
    sent = {one.profile_id for one in Delivery.objects.of_campaign(row.pk) if one.outcome == "sent"}
    refused = {one.profile_id for one in Delivery.objects.of_campaign(row.pk) if one.reason == "withdrawn"}
    assert sent | refused == {one.pk for one in people}
    assert report_of(row).adds_up
    assert refused <= {one.pk for one in people[30:]} and len(refused) >= 10


def test_a_permission_withdrawn_after_the_audience_was_made_stops_the_mail(sink: Sink) -> None:
    news = purpose()
    stays, goes = readers(2, news)
    row = campaign(stays, goes, of=news)
    schedule_campaign(campaign_id=row.pk, actor=None)
    start_due_campaigns()
    record = say(goes, news, "withdrawn")
    row = run(row)
    delivery = Delivery.objects.get(campaign=row, profile_id=goes.pk)
    assert (delivery.outcome, delivery.reason, delivery.consent_record_id) == ("skipped", "withdrawn", record.pk)
    assert list(sink.counts) == [stays.email]


def test_a_delivery_names_the_terms_by_which_it_was_decided(sink: Sink) -> None:
    news = purpose()
    agreed, silent = readers(1, news)[0], person("silent@klantbeeld.example")
    row = campaign(agreed, silent, of=news)
    schedule_campaign(campaign_id=row.pk, actor=None)
    start_due_campaigns()
    first = PurposeVersion.objects.get(purpose=news)
    assert set(Delivery.objects.values_list("purpose_version", flat=True)) == {first.pk}
    update_purpose(purpose_id=news.pk, changes={"basis": "legitimate_interest"}, confirmed=1)
    run(row)
    second = PurposeVersion.objects.get(purpose=news, version=2)
    sent = Delivery.objects.get(campaign=row, outcome="sent")
    assert (sent.profile_id, sent.purpose_version_id, sent.basis) == (agreed.pk, second.pk, "legitimate_interest")
    assert Delivery.objects.get(campaign=row, outcome="skipped").purpose_version_id == first.pk


def test_whoever_uses_the_link_of_a_mail_has_answered_at_its_address(sink: Sink) -> None:
    news = purpose()
    reader = readers(1, news)[0]
    row = run(campaign(reader, of=news))
    reference = f"delivery:{row.pk}:{reader.pk}"
    link = make_token(profile_id=reader.pk, purpose_id=news.pk, channel="email", reference=reference)
    identifier = reader.identifiers.get(kind="email")
    assert identifier.confirmed_at is None
    Client().post(f"/u/{link}/", {"List-Unsubscribe": "One-Click"})
    identifier.refresh_from_db()
    assert identifier.confirmed_at is None  # the mail program clicked
    key = f"{news.pk}:email"
    Client().post(f"/preferences/{link}/", {"offered": key, "wanted": key})
    identifier.refresh_from_db()
    assert identifier.confirmed_at is not None


def test_each_fault_of_the_mail_server_gets_its_outcome(sink: Sink) -> None:
    news = purpose()
    people = [readers(1, news, prefix=prefix)[0] for prefix in ("fine", "cut-before", "cut-after", "later", "gone")]
    row = run(campaign(*people, of=news))
    assert outcomes(row)["fine-0"] == ("sent", "")
    assert outcomes(row)["cut-after-0"] == ("unknown", "lost_after_handover")
    assert outcomes(row)["gone-0"] == ("failed", "bad_address")
    assert {outcomes(row)[name][0] for name in ("cut-before-0", "later-0")} == {"pending"}
    SendQueue.objects.update(due_at="2026-01-01T00:00Z")
    row = run(row)
    assert {outcomes(row)[name][0] for name in ("cut-before-0", "later-0")} == {"sent"}
    assert row.status == "done" and report_of(row).adds_up
    assert set(sink.counts.values()) == {1}
    assert not check(profile_ids=[people[4].pk], purpose_id=news.pk, channel="email")[people[4].pk].allowed


def test_refusals_by_rule_pause_the_campaign_and_burn_nobody(sink: Sink) -> None:
    news = purpose()
    row = run(campaign(*readers(80, news, prefix="rule"), of=news))
    assert row.status == "paused" and "5.7.1" in row.pause_label
    assert sum(sink.tried.values()) <= 40
    assert set(outcomes(row).values()) == {("pending", "")}
    everybody = [one.profile_id for one in Delivery.objects.of_campaign(row.pk)]
    asked = check(profile_ids=everybody, purpose_id=news.pk, channel="email")
    assert all(decision.allowed for decision in asked.values())  # nobody was suppressed for a fault of ours


def test_a_server_out_of_reach_holds_then_pauses_and_loses_nobody(sink: Sink) -> None:
    news = purpose()
    sink.stop()
    row = run(campaign(*readers(3, news), of=news))
    assert row.status == "sending" and row.trouble_count == 1 and row.hold_until is not None
    assert set(outcomes(row).values()) == {("pending", "")}
    for _number in range(6):
        Campaign.objects.update(hold_until="2026-01-01T00:00Z")
        hold_campaign(campaign_id=row.pk, reply="refused")
    row.refresh_from_db()
    assert row.status == "paused" and "cannot be reached" in row.pause_label


def test_pause_stops_and_resume_sends_the_rest_once(sink: Sink) -> None:
    news = purpose()
    row = campaign(*readers(40, news), of=news)
    sink.on_store.append(lambda _recipient: _pause_once(row))
    row = run(row)
    assert row.status == "paused"
    first = sum(sink.counts.values())
    assert 1 <= first <= 8
    assert report_of(row).adds_up and report_of(row).tally.of("pending") == 40 - first
    sink.on_store.clear()
    resume_campaign(campaign_id=row.pk)
    row = run(row)
    assert row.status == "done" and set(sink.counts.values()) == {1} and len(sink.counts) == 40


def _pause_once(row: Campaign) -> None:
    try:
        if Campaign.objects.get(pk=row.pk).status == "sending":
            pause_campaign(campaign_id=row.pk)
    except Exception:  # noqa: BLE001 - another connection paused first
        pass
    finally:
        connection.close()


def test_cancel_settles_everybody_who_was_waiting(sink: Sink) -> None:
    news = purpose()
    row = campaign(*readers(10, news), of=news)
    schedule_campaign(campaign_id=row.pk, actor=None)
    start_due_campaigns()
    _row, people = cancel_campaign(campaign_id=row.pk)
    assert people == 10
    row = run(Campaign.objects.get(pk=row.pk))
    assert row.status == "cancelled" and not sink.mails
    assert set(outcomes(row).values()) == {("cancelled", "cancelled")} and report_of(row).adds_up


def test_what_a_dead_worker_was_handing_over_is_unknown_and_the_rest_goes_on(sink: Sink) -> None:
    news = purpose()
    people = readers(5, news)
    row = campaign(*people, of=news)
    schedule_campaign(campaign_id=row.pk, actor=None)
    start_due_campaigns()
    claimed = queue.claim(campaign_id=row.pk, worker="dead", limit=5)
    assert len(claimed) == 5
    mark = queue.Mark(claimed[0][0], Delivery.objects.first().consent_record_id, "", None, "d", {})  # type: ignore[union-attr]
    assert queue.step(campaign_id=row.pk, worker="dead", outcome=None, mark=mark)
    SendQueue.objects.update(lease_until="2026-01-01T00:00Z")
    row = run(row)
    assert row.status == "done"
    tally = report_of(row).tally
    assert (tally.of("unknown"), tally.of("sent")) == (1, 4) and set(sink.counts.values()) == {1}
    assert resend_unknown(campaign_id=row.pk, confirm=1) == 1
    row = run(Campaign.objects.get(pk=row.pk))
    assert row.status == "done" and report_of(row).tally.of("sent") == 5


def test_a_person_without_a_needed_value_is_left_out_and_counted(sink: Sink) -> None:
    news = purpose()
    has, lacks = readers(2, news)
    Profile.objects.filter(pk=lacks.pk).update(traits={})
    row = run(campaign(has, lacks, of=news, text=message(required_traits=["first_name"])))
    assert outcomes(row)["reader-1"] == ("skipped", "missing_field")
    assert list(sink.counts) == [has.email]


def test_one_address_that_is_none_fails_alone(sink: Sink) -> None:
    news = purpose()
    good, bad = readers(2, news)
    Profile.objects.filter(pk=bad.pk).update(email="not an address\r\nBcc: all@shop.example")
    row = run(campaign(good, bad, of=news))
    found = {one.profile_id: (one.outcome, one.reason) for one in Delivery.objects.of_campaign(row.pk)}
    assert found == {good.pk: ("sent", ""), bad.pk: ("failed", "invalid_address")}
