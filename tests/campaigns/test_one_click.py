"""RFC 8058 from the mail as it was captured: one POST, without cookies, and every later mail of the purpose stops."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from urllib.parse import urlsplit

import pytest
from django.test import Client

from campaigns.models import Delivery
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import schedule_campaign
from campaigns.services.testing import send_test
from consent.models import ConsentRecord, ConsentState
from tests.campaigns.factories import campaign, message, readers
from tests.campaigns.runs import outcomes, run
from tests.campaigns.sink import Sink
from tests.consent.factories import purpose

pytestmark = pytest.mark.django_db(transaction=True)
ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


def mail_to(sink: Sink, address: str) -> EmailMessage:
    """Return the mail that an address got."""
    content = next(content for recipient, content in sink.mails if recipient == address)
    mail = message_from_bytes(content, policy=default_policy)
    assert isinstance(mail, EmailMessage)
    return mail


def link_of(mail: EmailMessage) -> str:
    """Return the path behind the header that mail programs post to."""
    web = [part.strip(" <>") for part in mail["List-Unsubscribe"].split(",") if part.strip(" <").startswith("http")]
    assert len(web) == 1 and mail["List-Unsubscribe-Post"] == ONE_CLICK
    return str(urlsplit(web[0]).path)


def test_one_click_withdraws_with_the_delivery_as_reference_and_stops_what_waits(sink: Sink) -> None:
    news = purpose()
    goes, stays = readers(2, news)
    first = run(campaign(goes, stays, of=news, name="First"))
    second = campaign(goes, stays, of=news, name="Second")
    schedule_campaign(campaign_id=second.pk, actor=None)
    start_due_campaigns()
    assert Delivery.objects.get(campaign=second, profile_id=goes.pk).outcome == "pending"

    client = Client(enforce_csrf_checks=True)
    path = link_of(mail_to(sink, goes.email))
    answer = client.post(path, ONE_CLICK, content_type=FORM)
    assert answer.status_code == 200 and not answer.cookies and "Location" not in answer
    record = ConsentRecord.objects.latest("id")
    assert (record.profile_id, record.state, record.method) == (goes.pk, "withdrawn", "one_click")
    assert record.reference == f"delivery:{first.pk}:{goes.pk}"
    assert client.post(path, ONE_CLICK, content_type=FORM).status_code == 200
    assert ConsentRecord.objects.latest("id").pk == record.pk

    second = run(second)
    assert outcomes(second) == {"reader-0": ("skipped", "withdrawn"), "reader-1": ("sent", "")}
    assert Delivery.objects.get(campaign=second, profile_id=goes.pk).consent_record_id == record.pk
    assert sink.counts == {goes.email: 1, stays.email: 2}


def test_looking_at_the_link_changes_nothing(sink: Sink) -> None:
    news = purpose()
    row = run(campaign(*readers(1, news), of=news))
    before = ConsentRecord.objects.count()
    path = link_of(mail_to(sink, "reader-0@klantbeeld.example"))
    assert Client().get(path).status_code == 200 and Client().head(path).status_code == 200
    assert ConsentRecord.objects.count() == before and row.status == "done"


@pytest.mark.parametrize("with_purpose", [True, False])
def test_the_links_of_a_test_mail_explain_themselves_and_change_nothing(sink: Sink, with_purpose: bool) -> None:
    news = purpose()
    [someone] = readers(1, news)
    version = message().current_version
    assert version is not None
    send_test(version=version, purpose=news if with_purpose else None, to="me@shop.example", profile=someone)
    before = list(ConsentState.objects.values_list("profile_id", "state")), ConsentRecord.objects.count()
    unsubscribe = link_of(mail_to(sink, "me@shop.example"))
    for path in (unsubscribe, unsubscribe.replace("/u/", "/preferences/")):
        for answer in (
            Client().get(path),
            Client().post(path, ONE_CLICK, content_type=FORM),
            Client().post(path, {"stop": "1"}),
        ):
            assert answer.status_code == 200 and "comes from a test" in answer.content.decode()
            assert someone.email not in answer.content.decode()
    assert (list(ConsentState.objects.values_list("profile_id", "state")), ConsentRecord.objects.count()) == before
