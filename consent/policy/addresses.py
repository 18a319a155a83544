"""How an address is made the same before its keyed digest is taken."""

from __future__ import annotations

import hashlib
from functools import lru_cache

#: which kind of identifier a channel is addressed by
KIND_OF_CHANNEL = {"email": "email", "sms": "phone", "phone": "phone"}
_BLOCK = 64


def normalise(kind: str, value: str) -> str:
    """Return the form that is hashed: identifiers are stored normalised, so this only evens out case and blanks."""
    text = value.strip()
    if kind == "email":
        return text.lower()
    if kind == "phone":
        return "".join(text.split())
    return text


def hashed_text(kind: str, value: str) -> str:
    """Return the text under the digest: `kind:value`, so that an id never stands for an address."""
    return f"{kind}:{normalise(kind, value)}"


def keyed_digest(key: str, kind: str, value: str) -> str:
    """Return HMAC-SHA-256 (RFC 2104) in hexadecimal."""
    inner, outer = (begun.copy() for begun in _begun(key))
    inner.update(hashed_text(kind, value).encode())
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=4)
def _begun(key: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Return both hashes with the key already taken in: the same key is used for every identifier of a block."""
    inner, outer = hmac_pads(key)
    return hashlib.sha256(inner), hashlib.sha256(outer)


def hmac_pads(key: str) -> tuple[bytes, bytes]:
    """Return the inner and outer padded keys of RFC 2104, from which plain sha256() in SQL makes the same digest."""
    raw = key.encode()
    if len(raw) > _BLOCK:
        raw = hashlib.sha256(raw).digest()
    raw = raw.ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in raw), bytes(byte ^ 0x5C for byte in raw)
