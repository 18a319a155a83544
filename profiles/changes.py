"""News that travels upward: higher apps register here what they do when people change.

Handlers run inside the transaction of the change, in bulk, with no network call: what they write commits with the
change or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cdp.common.registry import Registry


@dataclass(frozen=True, kw_only=True)
class NewInteraction:
    """An interaction that was just stored."""

    profile_id: int
    identifier_id: int
    kind: str
    name: str
    occurred_at: datetime
    properties: dict[str, Any]
    context: dict[str, Any]
    source_id: int
    trusted: bool  # came with a secret key: may speak of permission
    message_id: str


@dataclass(frozen=True, kw_only=True)
class IdentifierMove:
    """An identifier that went from one profile to another, with everything that hangs on it."""

    identifier_id: int
    from_profile_id: int
    to_profile_id: int
    undo: bool = False


@dataclass(kw_only=True)
class Change:
    """What changed, in one transaction, for how many people at once."""

    profile_ids: set[int]  # everyone whose segments may have changed
    cause: str  # collect | import | manual | merge | undo | consent | erase
    interactions: Sequence[NewInteraction] = ()
    moved: Sequence[IdentifierMove] = ()
    created_profile_ids: set[int] = field(default_factory=set)


change_handlers: Registry[Callable[[Change], None]] = Registry("change handler")

#: name -> function(profile ids, cause) -> those that must stay because a higher app holds facts of them (a proof of
#: permission, a message that was sent) that did not come by `cause` ("import:12"); asked before an undone import
#: removes the people it created
keepers: Registry[Callable[[Sequence[int], str], set[int]]] = Registry("keeper of people")


def announce(change: Change) -> None:
    """Tell every registered handler; the first error aborts the whole transaction."""
    for handler in change_handlers:
        handler(change)


def kept_people(profile_ids: Sequence[int], cause: str = "") -> set[int]:
    """Return those of the people given whom some app must keep, for facts that did not come by `cause`."""
    kept: set[int] = set()
    if profile_ids:
        for keeper in keepers:
            kept |= keeper(profile_ids, cause)
    return kept
