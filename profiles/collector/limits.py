"""What may come in, in one table: the code, the documentation and the tests read the same figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """A limit, where it is held, and what the sender is told above it."""

    name: str
    value: int
    unit: str
    enforced: str  # "door": the request is answered 400 | "event": the event is rejected, its neighbours land
    code: str
    why: str


MAX_BODY = Limit(
    "body",
    4 * 1024 * 1024,
    "bytes after decompression",
    "door",
    "body_too_large",
    "RudderStack's SDKs batch up to 4 MB",
)
MAX_EVENTS = Limit(
    "events",
    2500,
    "events in a batch",
    "door",
    "too_many_events",
    "the most that Segment documents",
)
MAX_DEPTH = Limit(
    "nesting",
    64,
    "levels in a request",
    "door",
    "too_deep",
    "parsers and PostgreSQL give up far deeper",
)
MAX_EVENT = Limit(
    "event",
    32 * 1024,
    "bytes of one event",
    "event",
    "event_too_large",
    "the limit that SDKs keep",
)
MAX_EVENT_DEPTH = Limit(
    "event nesting",
    12,
    "levels in one event",
    "event",
    "too_deep",
    "deeper data cannot be queried",
)
MAX_MESSAGE_ID = Limit("messageId", 128, "characters", "event", "message_id_too_long", "SDKs use 36 to 60")
MAX_NAME = Limit(
    "event name",
    200,
    "characters",
    "event",
    "name_too_long",
    "a name is chosen from a list by people",
)
MAX_KEY = Limit("write key", 200, "characters", "door", "invalid_key", "ours have 50")
MAX_USER_AGENT = Limit("user agent", 500, "characters", "door", "", "the rest is cut off")

LIMITS = (
    MAX_BODY,
    MAX_EVENTS,
    MAX_DEPTH,
    MAX_EVENT,
    MAX_EVENT_DEPTH,
    MAX_MESSAGE_ID,
    MAX_NAME,
    MAX_KEY,
    MAX_USER_AGENT,
)
