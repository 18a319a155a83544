"""What reading takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from profiles.identity.graph import Kind

Pair = tuple[str, str]  # (kind of identifier, value in its one form)


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose body it is: what the source may be believed, and when the body came."""

    source_id: int
    trusted: bool
    received_at: datetime
    raw_id: int
    endpoint: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The kinds of identifier by name, and the values an administrator blocked."""

    kinds: Mapping[str, Kind]
    blocked: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Message:
    """A message that can be stored. `identifiers[0]` is the one that everything hangs on; the rest is linked to it."""

    position: int
    kind: str
    name: str
    message_id: str
    key: bytes  # 16 bytes: sha256(source id, message id)
    digest: bytes  # 8 bytes of the payload's digest
    occurred_at: datetime
    identifiers: tuple[Pair, ...]
    names: frozenset[Pair]  # everybody whom it names, also where that links nobody
    traits: dict[str, Any] | None
    properties: dict[str, Any]
    context: dict[str, Any]
    left_out: tuple[tuple[str, str], ...] = ()  # (field, code) of the values that it came in without


@dataclass(slots=True)
class Rejection:
    """A message that cannot be stored, and why."""

    position: int
    code: str
    params: Mapping[str, Any]  # of the reason's sentence, see profiles.rejections
    message_id: str
    payload: Any
    names: frozenset[Pair] = frozenset()
    readable: bool = True  # if not, nobody can tell whom it names


@dataclass(frozen=True, slots=True)
class Erased:
    """The place of a message that an erasure took out of its body."""

    position: int
