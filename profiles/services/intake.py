"""Put bodies into the inbox by another way than the collector: read, stored and counted by the same processor."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.utils import timezone

from cdp.common.errors import CdpError
from cdp.common.wake import wake
from profiles.messages.cleaning import Unstorable
from profiles.messages.decoding import decode_item
from profiles.messages.limits import MAX_EVENT
from profiles.messages.model import Message, Origin
from profiles.messages.reading import read_message
from profiles.models import SeenMessage, Source
from profiles.partitions import ensure_days
from profiles.processing.sources import load_rules
from profiles.rejections import REJECTIONS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """What became of an event: accepted, duplicate or rejected, then with a code and a sentence."""

    status: str
    message_id: str
    code: str = ""
    message: str = ""
    field: str = ""


@transaction.atomic
def put_body(*, source_id: int, endpoint: str, body: bytes, sender: str, at: datetime | None = None) -> None:
    """Store a body and its row of the inbox; once this is committed it will be processed, whatever happens."""
    now = at or timezone.now()
    ensure_days([now.astimezone(UTC).date()])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH raw AS (
                INSERT INTO profiles_rawmessage (id, received_at, source_id, endpoint, user_agent, body)
                VALUES (nextval('profiles_raw_id_seq'), %s, %s, %s, %s, %s) RETURNING id, received_at, source_id
            )
            INSERT INTO profiles_inbox (raw_id, received_at, source_id, attempts)
            SELECT id, received_at, source_id, 0 FROM raw
            """,
            [now, source_id, endpoint, sender, body],
        )
    wake("profiles.process_inbox")


def take_events(*, items: Sequence[Any], source: Source) -> list[EventOutcome]:
    """Check events as the processor does, and put those that can be stored into the inbox, in one commit.

    Items are decoded JSON of the collection protocol, `CdpError` where their text could not be read. One without a
    `messageId` gets one, so that it can be sent again.
    """
    now, rules = timezone.now(), load_rules()
    origin = Origin(source.pk, source.trusted, now, 0, "batch")
    outcomes: list[EventOutcome] = []
    read: dict[int, tuple[Message, bytes]] = {}
    for number, item in enumerate(items):
        if isinstance(item, CdpError):
            outcomes.append(EventOutcome("rejected", "", item.code, str(item.message)))
            continue
        if isinstance(item, dict) and item.get("messageId") in (None, ""):
            item = item | {"messageId": str(uuid4())}
        data = json.dumps(item, ensure_ascii=False).encode()
        given = str(item.get("messageId", ""))[:128] if isinstance(item, dict) else ""
        try:
            if len(data) > 2 * MAX_EVENT.value:
                raise Unstorable(MAX_EVENT.code, limit=MAX_EVENT.value)
            message = read_message(decode_item(data), number, origin, rules)
        except Unstorable as error:
            field = str(error.params.get("name", ""))
            outcomes.append(
                EventOutcome("rejected", given, error.code, REJECTIONS.text(error.code, error.params), field)
            )
        except Exception as error:  # whatever it is, it is the fault of this one, as when it is processed
            logger.exception("event %d of a request could not be read", number)
            code, params = "unreadable", {"error": type(error).__name__}
            outcomes.append(EventOutcome("rejected", given, code, REJECTIONS.text(code, params)))
        else:
            read[number] = (message, data)
            outcomes.append(EventOutcome("accepted", message.message_id))
    new = _without_known(read, outcomes)
    if new:
        put_body(
            source_id=source.pk, endpoint="batch", body=b'{"batch":[' + b",".join(new) + b"]}", sender="api", at=now
        )
    return outcomes


def _without_known(read: dict[int, tuple[Message, bytes]], outcomes: list[EventOutcome]) -> list[bytes]:
    """Return the events whose ids did not count before; mark the others. The processor has the last word on it."""
    from_hex = {message.key.hex(): number for number, (message, _data) in reversed(read.items())}
    seen = {key.hex for key in SeenMessage.objects.filter(key__in=list(from_hex)).values_list("key", flat=True)}
    new = []
    for number, (message, data) in read.items():
        key = message.key.hex()
        if key in seen or from_hex[key] != number:
            outcomes[number] = EventOutcome("duplicate", message.message_id)
        else:
            new.append(data)
    return new
