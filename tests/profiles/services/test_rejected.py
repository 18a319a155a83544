"""Mending rejected messages."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from cdp.common.errors import CdpError
from profiles.models import InboxEntry, RawMessage, RejectedMessage, Source
from profiles.services.rejected import discard_rejected, replay_rejected

pytestmark = pytest.mark.django_db
EVENT = {"type": "track", "event": "E", "userId": "u1", "messageId": "m1"}


def rejected() -> RejectedMessage:
    return RejectedMessage.objects.create(
        source=Source.objects.get(slug="manual"),
        received_at=timezone.now(),
        raw_id=1,
        message_id="m1",
        code="no_user_anon_id",
        payload={"type": "track", "event": "E"},
    )


def test_a_mended_message_goes_through_the_inbox_again() -> None:
    message = rejected()
    replay_rejected(message_id=message.pk, text=json.dumps(EVENT))
    raw = RawMessage.objects.get()
    assert InboxEntry.objects.get().raw_id == raw.id
    assert (raw.endpoint, raw.source_id) == ("track", message.source.pk)
    sent = json.loads(bytes(raw.body))
    assert sent.pop("timestamp") == message.received_at.isoformat(), "it keeps the time at which it came"
    assert sent == EVENT
    message.refresh_from_db()
    assert message.resolution == "replayed"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "rejected.invalid_json"),
        ("[]", "rejected.invalid_event"),
        ('{"type":"batch"}', "rejected.invalid_event"),
        (json.dumps({**EVENT, "properties": {"text": "x" * 33_000}}), "rejected.too_large"),
        ('{"type":"track","properties":' + '{"a":' * 12 + "1" + "}" * 13, "rejected.too_deep"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_sent(text: str, code: str) -> None:
    message = rejected()
    with pytest.raises(CdpError) as refused:
        replay_rejected(message_id=message.pk, text=text)
    assert refused.value.code == code
    assert not InboxEntry.objects.exists()


def test_a_message_is_dealt_with_once() -> None:
    message = rejected()
    discard_rejected(message_id=message.pk)
    with pytest.raises(CdpError) as refused:
        discard_rejected(message_id=message.pk)
    assert refused.value.code == "rejected.resolved"
    with pytest.raises(CdpError) as refused:
        replay_rejected(message_id=message.pk, text=json.dumps(EVENT))
    assert refused.value.code == "rejected.resolved"
    assert not InboxEntry.objects.exists()
