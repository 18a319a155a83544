"""What happens to messages that were refused: corrected and sent through again, or put aside."""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from profiles.messages.cleaning import Unstorable, clean
from profiles.messages.decoding import Unreadable, decode_item, split
from profiles.messages.limits import MAX_EVENT, MAX_EVENT_DEPTH
from profiles.messages.reading import KINDS_OF_MESSAGE
from profiles.models import RejectedMessage
from profiles.rejections import REJECTIONS
from profiles.services.intake import put_body


def _open_message(message_id: int) -> RejectedMessage:
    message = RejectedMessage.objects.select_for_update().filter(pk=message_id).first()
    if message is None:
        raise CdpError("rejected.unknown", _("This message does not exist."), status=404)
    if message.resolved_at is not None:
        raise CdpError("rejected.resolved", _("This message was dealt with already."), status=409)
    return message


def _resolve(message: RejectedMessage, resolution: str, actor: Any) -> None:
    message.resolved_at = timezone.now()
    message.resolution = resolution
    message.save(update_fields=["resolved_at", "resolution"])
    record_access(
        actor=actor,
        action=f"rejected.{resolution}",
        object_kind="rejectedmessage",
        object_id=str(message.uuid),
    )


def checked_payload(text: str) -> dict[str, Any]:
    """Return the event that a person typed; raise CdpError with the place of the mistake."""
    body = text.encode("utf-8", "replace")
    if len(body) > MAX_EVENT.value:
        raise CdpError(
            "rejected.too_large",
            _("An event may have at most %(limit)s bytes.") % {"limit": MAX_EVENT.value},
        )
    try:
        payload = _decoded(body)
        if payload.get("type") in KINDS_OF_MESSAGE:
            return dict(clean(payload))
    except Unreadable as error:
        if error.code != "invalid_shape":
            raise CdpError("rejected.invalid_json", error.message, place="payload") from None
    except Unstorable as error:
        if error.code == MAX_EVENT_DEPTH.code:
            raise CdpError(
                "rejected.too_deep",
                _("An event may nest at most %(limit)s levels.") % {"limit": MAX_EVENT_DEPTH.value},
            ) from None
        raise CdpError("rejected.not_storable", REJECTIONS.text(error.code, error.params), place="payload") from None
    types = ", ".join(sorted(KINDS_OF_MESSAGE))
    raise CdpError(
        "rejected.invalid_event",
        _("An event is a JSON object whose “type” is one of: %(types)s.") % {"types": types},
        place="payload",
    )


def _decoded(body: bytes) -> dict[str, Any]:
    item = decode_item(split(body, batch=False).items[0])
    return item if isinstance(item, dict) and isinstance(item.get("type"), str) else {}


@transaction.atomic
def replay_rejected(*, message_id: int, text: str, actor: Any = None) -> RejectedMessage:
    """Send the corrected event through the inbox as its source would have; if it fails again it comes back here."""
    payload = checked_payload(text)
    message = _open_message(message_id)
    # The event keeps the time at which it was first received, unless it states its own.
    payload.setdefault("timestamp", message.received_at.isoformat())
    body = json.dumps(payload).encode("utf-8", "replace")
    put_body(source_id=message.source_id, endpoint=payload["type"], body=body, sender="replay")
    _resolve(message, "replayed", actor)
    return message


@transaction.atomic
def discard_rejected(*, message_id: int, actor: Any = None) -> RejectedMessage:
    """Put a rejected message aside for good; it stays in the list of those dealt with."""
    message = _open_message(message_id)
    _resolve(message, "discarded", actor)
    return message
