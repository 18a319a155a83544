"""What may come in, in one table: collector, processor, documentation and tests read the same figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Limit:
    """A limit, where it is held, and the code above it."""

    name: str
    value: int
    unit: str
    enforced: Literal["request", "event"]  # request: answered 400 | event: that event is rejected, its neighbours land
    code: str
    why: str


MAX_BODY = Limit(
    "body",
    4 * 1024 * 1024,
    "bytes after decompression",
    "request",
    "body_too_large",
    "RudderStack's SDKs batch up to 4 MB",
)
MAX_PUBLIC_BODY = Limit(
    "body without a secret key",
    512 * 1024,
    "bytes after decompression",
    "request",
    "body_too_large",
    "browser SDKs batch up to 500 KB; anybody may send such a body, so reading it must cost little",
)
MAX_EVENTS = Limit("events", 2500, "events in a batch", "request", "too_many_events", "the most that Segment documents")
MAX_DEPTH = Limit(
    "nesting",
    64,
    "levels in a request",
    "request",
    "too_deep",
    "decoders recurse: what is taken must be readable from any depth of the stack",
)
MAX_EVENT = Limit("event", 32 * 1024, "bytes of one event", "event", "event_too_large", "the limit that SDKs keep")
MAX_EVENT_DEPTH = Limit(
    "event nesting", 12, "levels in one event", "event", "too_deep", "deeper data cannot be queried"
)
MAX_MESSAGE_ID = Limit("messageId", 128, "characters", "event", "message_id_too_long", "SDKs use 36 to 60")
MAX_NAME = Limit(
    "event name", 200, "characters", "event", "event_name_too_long", "a name is chosen from a list by people"
)
MAX_INTEGER = Limit(
    "integer", 2**63 - 1, "either side of zero", "event", "number_out_of_range", "64 bits; beyond them digits get lost"
)
MAX_KEY = Limit("write key", 200, "characters", "request", "invalid_key", "ours have 50")
MAX_USER_AGENT = Limit("user agent", 500, "characters", "request", "", "the rest is cut off")

LIMITS = (
    MAX_BODY,
    MAX_PUBLIC_BODY,
    MAX_EVENTS,
    MAX_DEPTH,
    MAX_EVENT,
    MAX_EVENT_DEPTH,
    MAX_MESSAGE_ID,
    MAX_NAME,
    MAX_INTEGER,
    MAX_KEY,
    MAX_USER_AGENT,
)
