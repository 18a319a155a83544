"""The stream of what comes in: the newest raw bodies, cut into events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from profiles.messages.cleaning import Unstorable, presentable
from profiles.messages.decoding import Unreadable, decode_item, split
from profiles.models import Identifier, RawMessage, Source

#: bodies looked at for one screen; events of a rare source further back than these are not shown
MAX_BODIES = 300
LOOK_BACK = timedelta(days=2)
_SHOWN_NAME = {
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "identify": "Identified",
    "group": "Group Joined",
}


@dataclass(frozen=True, kw_only=True)
class LiveEvent:
    """One event as it was received."""

    raw_id: int
    position: int
    received_at: datetime
    source: Source | None
    kind: str
    name: str
    user_id: str
    anonymous_id: str
    profile_uuid: str = ""

    @property
    def who(self) -> str:
        """Return the strongest id that the event carries."""
        return self.user_id or self.anonymous_id


def events_of(raw: RawMessage) -> list[dict[str, Any]]:
    """Return the events of a body; what is no object comes back as an empty one, so that positions hold."""
    try:
        items = split(bytes(raw.body), batch=raw.endpoint == "batch").items
    except Unreadable:
        return []
    return [_event(item) for item in items]


def _event(data: bytes) -> dict[str, Any]:
    try:
        item = decode_item(data)
    except Unstorable:
        return {}
    return presentable(item) if isinstance(item, dict) else {}


def _text(value: Any) -> str:
    return str(value)[:200] if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _name_of(kind: str, event: dict[str, Any]) -> str:
    if kind == "track":
        return _text(event.get("event"))
    return _SHOWN_NAME.get(kind, "Aliased" if kind == "alias" else kind)


def _matches(name: str, wanted: str) -> bool:
    return wanted.lower() in name.lower()


def _live_event(raw: RawMessage, position: int, event: dict[str, Any], source: Source | None) -> LiveEvent:
    kind = _text(event.get("type")) or ("" if raw.endpoint == "batch" else raw.endpoint)
    return LiveEvent(
        raw_id=raw.id,
        position=position,
        received_at=raw.received_at,
        source=source,
        kind=kind,
        name=_name_of(kind, event),
        user_id=_text(event.get("userId")),
        anonymous_id=_text(event.get("anonymousId")),
    )


def last_event_of(source: Source) -> LiveEvent | None:
    """Return the newest event of a source, or None; the time at which it was last heard says where to look."""
    if source.last_seen_at is None:
        return None
    around = (source.last_seen_at - timedelta(seconds=10), source.last_seen_at + timedelta(seconds=1))
    rows = RawMessage.objects.filter(source_id=source.pk, received_at__range=around)
    raw = rows.order_by("-received_at", "-id").first()
    events = events_of(raw) if raw else []
    return _live_event(raw, len(events) - 1, events[-1], source) if raw and events else None


def latest_events(*, source_id: int | None = None, name: str = "", limit: int = 50) -> list[LiveEvent]:
    """Return the newest events as they came in, newest first."""
    rows = RawMessage.objects.filter(received_at__gt=timezone.now() - LOOK_BACK)
    if source_id is not None:
        rows = rows.filter(source_id=source_id)
    sources = {source.pk: source for source in Source.objects.all()}
    found: list[LiveEvent] = []
    for raw in rows.order_by("-received_at", "-id")[:MAX_BODIES].iterator(chunk_size=50):
        events = events_of(raw)
        for position in range(len(events) - 1, -1, -1):
            shown = _live_event(raw, position, events[position], sources.get(raw.source_id))
            if name and not _matches(shown.name, name):
                continue
            found.append(shown)
            if len(found) == limit:
                return _with_people(found)
    return _with_people(found)


def _with_people(events: Iterable[LiveEvent]) -> list[LiveEvent]:
    events = list(events)
    values = {value for event in events for value in (event.user_id, event.anonymous_id) if value}
    rows = Identifier.objects.filter(kind__in=("user_id", "anonymous_id"), value__in=values).values_list(
        "kind", "value", "profile__uuid"
    )
    people = {(kind, value): str(uuid) for kind, value, uuid in rows}
    return [
        LiveEvent(
            **{
                **vars(event),
                "profile_uuid": people.get(("user_id", event.user_id))
                or people.get(("anonymous_id", event.anonymous_id), ""),
            }
        )
        for event in events
    ]


def raw_event(*, raw_id: int, received_at: datetime, position: int) -> tuple[RawMessage, dict[str, Any]] | None:
    """Return one event with its body, None past its keeping time; `received_at` finds the partition."""
    raw = RawMessage.objects.filter(received_at=received_at, id=raw_id).first()
    if raw is None:
        return None
    events = events_of(raw)
    return (raw, events[position]) if 0 <= position < len(events) else None
