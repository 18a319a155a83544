"""A test to oneself: the same mail as a reader would get, marked, kept out of every figure."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes
from email.policy import default as default_policy
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Delivery, MessageVersion
from campaigns.services.testing import send_test
from cdp.common.errors import CdpError
from tests.campaigns.factories import campaign, message, readers
from tests.campaigns.sink import Sink
from tests.consent.factories import purpose

pytestmark = pytest.mark.django_db


def version(**fields: Any) -> MessageVersion:
    """Return a saved version."""
    found = message(**fields).current_version
    assert found is not None
    return found


def test_it_is_filled_in_for_the_chosen_person_marked_and_no_decision(sink: Sink) -> None:
    news = purpose()
    [someone] = readers(1, news)
    reply = send_test(version=version(), purpose=news, to="me@shop.example", profile=someone)
    assert reply.startswith("2.0.0")
    assert [recipient for recipient, _content in sink.mails] == ["me@shop.example"]
    mail = message_from_bytes(sink.mails[0][1], policy=default_policy)
    assert mail["Subject"] == "[Test] News" and mail["To"] == "me@shop.example"
    assert "Hi Reader0" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has one
    assert not Delivery.objects.exists()


def test_nobody_chosen_means_an_invented_person(sink: Sink) -> None:
    send_test(version=version(), purpose=None, to="me@shop.example")
    assert "Hi Anna" in sink.mails[0][1].decode()


@pytest.mark.parametrize("address", ["", "not an address", "me@shop.example\r\nBcc: all@shop.example"])
def test_an_account_without_a_mail_address_is_told_so(sink: Sink, address: str) -> None:
    with pytest.raises(CdpError) as refused:
        send_test(version=version(), purpose=None, to=address)
    assert refused.value.code == "test.no_address" and not sink.mails


def test_a_person_who_lacks_a_needed_value_gets_no_test_and_the_reason(sink: Sink) -> None:
    [someone] = readers(1, purpose())
    with pytest.raises(CdpError) as refused:
        send_test(version=version(required_traits=["city"]), purpose=None, to="me@shop.example", profile=someone)
    assert refused.value.code == "preview.missing_field" and "city" in str(refused.value.message) and not sink.mails


@pytest.mark.parametrize("to", ["gone@shop.example", "busy@shop.example", "cut-after@shop.example", "é@shop.example"])
def test_a_server_that_does_not_take_it_is_quoted(sink: Sink, to: str) -> None:
    with pytest.raises(CdpError) as refused:
        send_test(version=version(), purpose=None, to=to)
    assert refused.value.code == "test.not_sent" and refused.value.status == 502


def test_the_button_sends_to_ones_own_address_and_says_where(sink: Sink, client_as: Callable[[str], Client]) -> None:
    client, news = client_as("Marketer"), purpose()
    row = campaign(*readers(1, news), of=news)
    answer = client.post(reverse("campaigns:campaign_test", args=[row.pk]), follow=True)
    own = answer.context["user"].email
    if own:
        assert f"The test went to {own}" in answer.content.decode() and list(sink.counts) == [own]
    else:
        assert "Your account has no mail address" in answer.content.decode() and not sink.mails
