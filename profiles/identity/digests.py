"""Keyed digests of identifiers: they find a value again without keeping it.

A key that is replaced stays in the ring, because nobody can make a new digest from an old one without the value. But an
old digest can be digested once more, under the new key: that is what a rotation does. From then on the list tells
nothing to whoever has the old key only, and a value is found by applying the keys in the order in which they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from profiles.identity.phones import normal_phone

_BLOCK = 64
_ID_BYTES = 4


def normalise(kind: str, value: str) -> str:
    """Return the form that is digested, which is that of stored identifiers for every way to write one."""
    text = value.strip()
    if kind == "email":
        return text.lower()
    if kind == "phone":
        return normal_phone(text) or "".join(text.split())
    return text


@dataclass(frozen=True, slots=True)
class Chain:
    """Keys in the order in which they are applied. `name` is kept beside each digest; it tells nothing of the keys."""

    keys: tuple[str, ...]
    name: str

    def digest(self, kind: str, value: str) -> str:
        """Return the digest of `kind:value`, so that an id never stands for an address, in hexadecimal."""
        raw = _first_digest(self.keys[0], kind, value)
        for key in self.keys[1:]:
            raw = _hmac(key, raw)
        return raw.hex()

    def sql(self, text: str) -> tuple[str, list[bytes]]:
        """Return an expression for the digest of an SQL text (`kind:value`, normalised), and its parameters."""
        expression = f"convert_to({text}, 'UTF8')"
        params: list[bytes] = []
        for key in self.keys:
            inner, outer = _pads(key)
            expression = f"sha256(%s || sha256(%s || {expression}))"
            params = [outer, inner, *params]
        return f"encode({expression}, 'hex')", params


@dataclass(frozen=True)
class KeyRing:
    """The key of now and those that it replaced, newest first."""

    keys: tuple[str, ...]

    @property
    def current(self) -> Chain:
        """Return what new digests are made with."""
        return self.chains[0]

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """Return every way in which a digest can have been made; the one of now first.

        A digest began under one of the keys and was wrapped in each that followed, up to now or to some rotation.
        """
        ids = [key_id(key) for key in self.keys]
        found = []
        for last in range(len(self.keys)):
            for first in range(last, len(self.keys)):
                numbers = range(first, last - 1, -1)
                found.append(Chain(tuple(self.keys[n] for n in numbers), "+".join(ids[n] for n in numbers)))
        return tuple(found)

    def digest(self, kind: str, value: str) -> str:
        """Return the digest under the key of now."""
        return self.current.digest(kind, value)

    def digests(self, kind: str, value: str) -> list[str]:
        """Return the digests under which a value may be known."""
        return [chain.digest(kind, value) for chain in self.chains]

    def short(self, kind: str, value: str) -> int:
        """Return the first eight bytes of the digest under the key of now, as a signed number."""
        return _short(self.keys[0], kind, value)

    def shorts(self, kind: str, value: str) -> set[int]:
        """Return the short digests under which a value may stand; these are never wrapped."""
        return {_short(key, kind, value) for key in self.keys}

    def sql(self, text: str) -> tuple[str, list[bytes]]:
        """Return a list of expressions for `digest IN (...)`, and their parameters."""
        parts = [chain.sql(text) for chain in self.chains]
        return ", ".join(part[0] for part in parts), [param for part in parts for param in part[1]]


def wrap_sql(key: str, digest: str) -> tuple[str, list[bytes]]:
    """Return an expression that digests a stored digest once more, under another key, and its parameters."""
    inner, outer = _pads(key)
    return f"encode(sha256(%s || sha256(%s || decode({digest}, 'hex'))), 'hex')", [outer, inner]


def key_id(key: str) -> str:
    """Return what a key is known by: stored beside digests, it tells which key made them, and nothing about the key."""
    return _hmac(key, b"id of a key")[:_ID_BYTES].hex()


def key_ids(names: Sequence[str]) -> set[str]:
    """Return the keys that these chains are made of."""
    return {part for name in names for part in name.split("+")}


@lru_cache(maxsize=65536)
def _first_digest(key: str, kind: str, value: str) -> bytes:
    return _hmac(key, f"{kind}:{normalise(kind, value)}".encode())


def _short(key: str, kind: str, value: str) -> int:
    return int.from_bytes(_first_digest(key, kind, value)[:8], "big", signed=True)


def _hmac(key: str, message: bytes) -> bytes:
    """Return HMAC-SHA-256 (RFC 2104)."""
    inner, outer = (begun.copy() for begun in _begun(key))
    inner.update(message)
    outer.update(inner.digest())
    return bytes(outer.digest())


@lru_cache(maxsize=16)
def _begun(key: str) -> tuple[Any, Any]:
    """Return both hashes with the key already taken in: the same key is used for every identifier of a block."""
    inner, outer = _pads(key)
    return hashlib.sha256(inner), hashlib.sha256(outer)


def _pads(key: str) -> tuple[bytes, bytes]:
    """Return the inner and outer padded keys of RFC 2104, from which plain sha256() in SQL makes the same digest."""
    raw = key.encode()
    if len(raw) > _BLOCK:
        raw = hashlib.sha256(raw).digest()
    raw = raw.ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in raw), bytes(byte ^ 0x5C for byte in raw)
