"""What of an erased person is kept out for good, and whose messages are theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from consent.policy.addresses import KIND_OF_CHANNEL

#: kinds that anybody can write into a page: what a public key says of them may be a stranger's
ADDRESSES = frozenset(KIND_OF_CHANNEL.values())
#: kinds that are made by chance on the person's own machine: nobody else can have one, and nobody can guess it
DEVICES = frozenset({"anonymous_id"})


@dataclass(frozen=True, slots=True)
class Held:
    """An identifier of the person who is erased. `trusted`: more than a public key's claim."""

    kind: str
    value: str
    trusted: bool

    @property
    def pair(self) -> tuple[str, str]:
        """Return (kind, value)."""
        return self.kind, self.value


def kept_out(held: Iterable[Held]) -> set[tuple[str, str]]:
    """Return what stays out for good. What a public key claimed does not: it may be a stranger's."""
    return {item.pair for item in held if item.trusted or item.kind in DEVICES}


def own(held: Iterable[Held]) -> set[tuple[str, str]]:
    """Return the identifiers whose messages are the person's: all but addresses that were only claimed."""
    return {item.pair for item in held if item.trusted or item.kind not in ADDRESSES}
