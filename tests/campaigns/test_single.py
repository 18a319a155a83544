"""Single sends: the gate and the ledger of campaigns, for one person and one message at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign, CampaignKind, Delivery, Message, SendQueue
from campaigns.sending import queue, restored
from campaigns.sending.drain import drain_sends
from campaigns.sending.starting import finish_campaigns
from campaigns.services.campaigns import pause_campaign, resume_campaign
from campaigns.services.messages import update_message
from campaigns.services.single import allow_single_sends, stop_single_sends
from consent.links import read_token
from consent.models import Purpose
from consent.services.erasing import erase_person
from profiles.models import Profile
from tests.campaigns.factories import campaign, content, message, readers
from tests.campaigns.runs import outcomes, run
from tests.campaigns.sink import Sink
from tests.consent.factories import person, purpose, say

pytestmark = pytest.mark.django_db
Tokens = Callable[..., dict[str, str]]
BODY = "Hi {{ person.first_name }}, your order **{{ data.order_number }}** is on its way."


@pytest.fixture
def contract() -> Purpose:
    """A purpose that needs no permission: a contract."""
    return purpose("orders", basis="contract", is_marketing=False)


@pytest.fixture
def note(db: None) -> Message:
    """A message that programs may send."""
    row = message("Order note", subject="Order {{ data.order_number }}", body=BODY)
    return allow_single_sends(message_id=row.pk, user=None)


def ask(token: dict[str, str], of: Message, to: Any, why: Purpose, key: str = "k1", **fields: Any) -> Any:
    """Ask for a send."""
    body = {
        "profile_id": str(to.uuid) if isinstance(to, Profile) else to,
        "message_id": str(of.uuid),
        "purpose_id": why.slug,
        "data": {"order_number": "A-1042"},
        "idempotency_key": key,
        **fields,
    }
    return Client().post("/api/v1/sends/", data=json.dumps(body), content_type="application/json", headers=token)


def parsed(mail: tuple[str, bytes]) -> EmailMessage:
    """Return a mail as its reader's program reads it."""
    return message_from_bytes(mail[1], policy=default_policy)


def plain_of(mail: EmailMessage) -> str:
    """Return the plain text of a mail."""
    part = mail.get_body(("plain",))
    return str(part.get_content()) if part else ""


def sent() -> None:
    """Send all that is due."""
    while drain_sends(seconds=20):
        pass


@pytest.mark.django_db(transaction=True)
def test_a_receipt_goes_to_one_person_once_and_tells_what_became_of_it(
    api_token: Tokens, sink: Sink, note: Message, contract: Purpose
) -> None:
    token = api_token("Marketer")
    anna = person("anna@klantbeeld.example", traits={"first_name": "Anna"})
    answer = ask(token, note, "email:Anna@klantbeeld.example", contract)
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert (body["outcome"], body["profile_id"], body["idempotency_key"]) == ("queued", str(anna.uuid), "k1")
    assert ask(token, note, anna, contract).json()["id"] == body["id"], "the same key is the same send"
    sent()
    assert len(sink.mails) == 1
    mail = parsed(sink.mails[0])
    assert "A-1042" in str(mail["Subject"]) and "Anna" in plain_of(mail)
    row = Client().get(f"/api/v1/sends/{body['id']}/", headers=token).json()
    assert (row["outcome"], row["basis"], row["attempts"]) == ("sent", "contract", 1)
    again = ask(token, note, anna, contract)
    assert (again.status_code, again.json()["outcome"]) == (200, "sent")
    ask(token, note, anna, contract, "k2")
    sent()
    assert len(sink.mails) == 2
    link = read_token(str(mail["List-Unsubscribe"]).strip("<>").rstrip("/").rpartition("/")[2])
    assert link is not None and link.reference == f"send:{body['id']}"


def test_a_key_that_comes_with_other_data_is_refused(api_token: Tokens, note: Message, contract: Purpose) -> None:
    token, anna = api_token("Marketer"), person()
    assert ask(token, note, anna, contract).status_code == 202
    answer = ask(token, note, anna, contract, data={"order_number": "B"})
    assert (answer.status_code, answer.json()["code"]) == (409, "send.key_reused")
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(
    ("spoil", "outcome", "reason"),
    [
        ("no_consent", "skipped", "no_consent"),
        ("withdrawn", "skipped", "withdrawn"),
        ("restricted", "skipped", "restricted"),
        ("untrusted", "skipped", "unverified_address"),
        ("inactive", "skipped", "purpose_inactive"),
        ("missing", "skipped", "missing_field"),
        ("renders_not", "failed", "render_error"),
    ],
)
def test_every_refusal_is_a_row_with_its_reason(
    api_token: Tokens, note: Message, spoil: str, outcome: str, reason: str
) -> None:
    news, anna = purpose(), person("anna@klantbeeld.example", trusted=spoil != "untrusted")
    if spoil != "no_consent":
        say(anna, news, "given")
    if spoil == "withdrawn":
        say(anna, news, "withdrawn")
    if spoil == "restricted":
        Profile.objects.filter(pk=anna.pk).update(restricted_at=timezone.now())
    if spoil == "inactive":
        Purpose.objects.filter(pk=news.pk).update(active=False)
    if spoil == "missing":
        note = message("Needs", body=BODY, required_traits=["data.order_number"])
    if spoil == "renders_not":
        note = message("Breaks", body=BODY + "{% for i in (1..data.n) %}{{ i }}{% endfor %}")
    allow_single_sends(message_id=note.pk, user=None)
    note.refresh_from_db()
    data = {"missing": {}, "renders_not": {"n": 1_000_000}}.get(spoil, {"order_number": "A"})
    answer = ask(api_token("Marketer"), note, anna, news, data=data)
    assert answer.status_code == 200, answer.content
    assert (answer.json()["outcome"], answer.json()["reason"]) == (outcome, reason)
    row = Delivery.objects.get()
    assert (row.outcome, row.reason, row.occurrence) == (outcome, reason, "k1")
    assert not SendQueue.objects.exists()


def test_what_cannot_be_asked_for_is_refused_by_name(api_token: Tokens, note: Message, contract: Purpose) -> None:
    token, anna = api_token("Marketer"), person()
    closed = message("Closed")
    for fields, status, place in (
        ({"message_id": str(closed.uuid)}, 409, "send.not_allowed"),
        ({"message_id": "7"}, 400, "message_id"),
        ({"purpose_id": "nothing"}, 400, "purpose_id"),
        ({"profile_id": "email:nobody@example.org"}, 400, "unknown_person"),
        ({"idempotency_key": ""}, 400, "idempotency_key"),
        ({"idempotency_key": "x" * 101}, 400, "idempotency_key"),
        ({"data": {"x": "y" * 20_001}}, 400, "data"),
        ({"data": "text"}, 400, "data"),
        ({"recipient": "x@example.org"}, 400, "recipient"),
    ):
        answer = ask(token, note, anna, contract, **fields)
        assert answer.status_code == status, (fields, answer.content)
        assert place == answer.json()["code"] or place in answer.json()["fields"]
    assert ask(api_token("Analyst"), note, anna, contract).status_code == 403
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_parallel_requests_with_one_key_make_one_send(
    api_token: Tokens, sink: Sink, note: Message, contract: Purpose
) -> None:
    token, anna = api_token("Marketer"), person()
    answers: list[Any] = []

    def one() -> None:
        try:
            answers.append(ask(token, note, anna, contract))
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    sent()
    assert len(sink.mails) == 1 and Campaign.objects.filter(kind=CampaignKind.SINGLE).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_permission_withdrawn_between_request_and_send_stops_it(api_token: Tokens, sink: Sink, note: Message) -> None:
    news, anna = purpose(), person()
    say(anna, news, "given")
    key = ask(api_token("Marketer"), note, anna, news).json()["id"]
    say(anna, news, "withdrawn")
    sent()
    assert sink.mails == []
    row = Delivery.objects.get(uuid=key)
    assert (row.outcome, row.reason) == ("skipped", "withdrawn")


@pytest.mark.django_db(transaction=True)
def test_an_erasure_stops_what_waits_and_blanks_what_was_sent(
    api_token: Tokens, sink: Sink, note: Message, contract: Purpose
) -> None:
    token, anna = api_token("Marketer"), person()
    ask(token, note, anna, contract, "k1")
    sent()
    ask(token, note, anna, contract, "k2")
    erase_person(profile_id=anna.pk, actor=None, reason="asked")
    sent()
    assert len(sink.mails) == 1
    rows = {row.occurrence: row for row in Delivery.objects.all()}
    assert (rows["k2"].outcome, rows["k2"].reason) == ("skipped", "erased")
    assert all((row.context, row.address_digest) == ({}, "") for row in rows.values())


@pytest.mark.django_db(transaction=True)
def test_many_sends_to_one_person_at_once_all_go(
    api_token: Tokens, sink: Sink, note: Message, contract: Purpose
) -> None:
    token, anna, ben = api_token("Marketer"), person(), person()
    Profile.objects.filter(pk=ben.pk).update(email=anna.email)
    for number in range(5):
        ask(token, note, anna, contract, f"a{number}", data={"order_number": f"N{number}"})
    ask(token, note, ben, contract, "a1")
    sent()
    assert sorted(str(parsed(mail)["Subject"]) for mail in sink.mails) == sorted(
        [*(f"Order N{number}" for number in range(5)), "Order A-1042"]
    )
    assert set(Delivery.objects.values_list("outcome", flat=True)) == {"sent"}


@pytest.mark.django_db(transaction=True)
def test_single_sends_and_campaigns_are_told_apart_and_pauses_hold(
    api_token: Tokens, sink: Sink, note: Message, contract: Purpose
) -> None:
    token, news = api_token("Marketer"), purpose()
    people = readers(3, news)
    ask(token, note, people[0], contract)
    shared = Campaign.objects.get(kind=CampaignKind.SINGLE)
    pause_campaign(campaign_id=shared.pk)
    row = run(campaign(*people, of=news))
    assert len(sink.mails) == 3 and set(outcomes(row).values()) == {("sent", "")}
    assert Delivery.objects.get(campaign=shared).outcome == "pending"
    waiting = Client().get(f"/api/v1/sends/{Delivery.objects.get(campaign=shared).uuid}/", headers=token).json()
    assert waiting["explanation"] == "Paused by hand."
    resume_campaign(campaign_id=shared.pk)
    sent()
    assert len(sink.mails) == 4 and finish_campaigns() == 0
    listed = Client().get("/api/v1/campaigns/", headers=token).json()["results"]
    assert [item["id"] for item in listed] == [str(row.uuid)]


@pytest.mark.django_db(transaction=True)
def test_a_new_version_is_sent_from_the_next_message_on_and_named_in_the_ledger(
    api_token: Tokens, sink: Sink, note: Message, contract: Purpose
) -> None:
    token, anna = api_token("Marketer"), person()
    ask(token, note, anna, contract, "k1")
    update_message(message_id=note.pk, name="Order note", content=content(subject="Newer", body=BODY), actor=None)
    sent()
    assert str(parsed(sink.mails[0])["Subject"]) == "Newer"
    assert Delivery.objects.get().message_version.number == 2


def test_switched_off_nothing_more_is_taken_and_what_waits_is_cancelled(
    api_token: Tokens, note: Message, contract: Purpose
) -> None:
    token, anna = api_token("Marketer"), person()
    ask(token, note, anna, contract)
    assert stop_single_sends(message_id=note.pk) == 1
    assert Delivery.objects.get().outcome == "cancelled" and not SendQueue.objects.exists()
    assert ask(token, note, anna, contract, "k2").json()["code"] == "send.not_allowed"


@pytest.mark.django_db(transaction=True)
def test_a_merge_does_not_make_the_same_send_twice(
    api_token: Tokens, sink: Sink, note: Message, contract: Purpose
) -> None:
    token, anna, ann = api_token("Marketer"), person(), person()
    first = ask(token, note, ann, contract).json()["id"]
    sent()
    Profile.objects.filter(pk=ann.pk).update(merged_into=anna)
    assert ask(token, note, ann, contract).json()["id"] == first
    sent()
    assert len(sink.mails) == 1


@pytest.mark.django_db(transaction=True)
def test_who_dies_while_handing_one_over_leaves_it_unknown(api_token: Tokens, note: Message, contract: Purpose) -> None:
    anna = person()
    ask(api_token("Marketer"), note, anna, contract, "k1")
    ask(api_token("Marketer"), note, anna, contract, "k2")
    shared = Campaign.objects.get(kind=CampaignKind.SINGLE)
    claimed = queue.claim(campaign_id=shared.pk, worker="dead", limit=5)
    assert [row.occurrence for row in claimed] == ["k1"], "one a person; the other waits for its turn"
    mark = queue.Mark(anna.pk, None, "contract", None, "", {}, "k1")
    assert queue.step(campaign_id=shared.pk, worker="dead", outcome=None, mark=mark)
    SendQueue.objects.exclude(phase="waiting").update(lease_until=timezone.now() - timedelta(minutes=1))
    assert queue.recover() == (0, 1)
    rows = dict(Delivery.objects.values_list("occurrence", "outcome"))
    assert rows == {"k1": "unknown", "k2": "pending"}


@pytest.mark.django_db(transaction=True)
def test_after_a_restored_backup_the_same_key_is_not_sent_again(
    api_token: Tokens, sink: Sink, note: Message, contract: Purpose
) -> None:
    token, anna = api_token("Marketer"), person()
    ask(token, note, anna, contract, "kept")
    sent()
    ask(token, note, anna, contract, "lost")
    sent()
    assert len(sink.mails) == 2
    # The backup knew of the first as waiting, and nothing of the second.
    Delivery.objects.filter(occurrence="lost").delete()
    Delivery.objects.filter(occurrence="kept").update(outcome="pending", finished_at=None)
    shared = Campaign.objects.get(kind=CampaignKind.SINGLE)
    SendQueue.objects.create(campaign_id=shared.pk, profile_id=anna.pk, occurrence="kept", due_at=timezone.now())
    restored.halt()
    restored.settle()
    assert Delivery.objects.get(occurrence="kept").reason == "sent_before_restore"
    answer = ask(token, note, anna, contract, "lost").json()
    assert (answer["outcome"], answer["reason"]) == ("unknown", "sent_before_restore")
    assert ask(token, note, anna, contract, "new").status_code == 202
    sent()
    assert len(sink.mails) == 2, "held until a person has looked"
    resume_campaign(campaign_id=shared.pk)
    sent()
    assert len(sink.mails) == 3


def test_who_may_not_see_people_does_not_see_the_keys_of_programs(
    api_token: Tokens, client_as: Callable[[str], Client], note: Message, contract: Purpose
) -> None:
    body = ask(api_token("Marketer"), note, person(), contract, "reset-anna@example.org").json()
    row = Client().get(f"/api/v1/sends/{body['id']}/", headers=api_token("Analyst")).json()
    assert (body["idempotency_key"], row["idempotency_key"]) == ("reset-anna@example.org", "")
    sent = Delivery.objects.get()
    page = client_as("Analyst").get(f"/campaigns/{sent.campaign_id}/deliveries/{sent.uuid}/").content.decode()
    assert "anna@example.org" not in page


def test_the_ids_of_answers_are_public(api_token: Tokens, note: Message, contract: Purpose) -> None:
    body = ask(api_token("Marketer"), note, person(), contract).json()
    for name in ("id", "profile_id", "message_id"):
        UUID(body[name])
