"""The one way in which records, payloads and texts are written down before they are hashed.

Canonical JSON: UTF-8, keys sorted, no spaces, no escapes but those JSON demands; numbers are whole; times are UTC as
`2026-11-23T21:41:18.000000Z`. SHA-256 in lower-case hexadecimal throughout.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: Any) -> bytes:
    """Return the bytes that are hashed."""
    return _encode(value).encode()


def sha256(data: bytes) -> str:
    """Return the digest in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def moment(value: datetime) -> str:
    """Return an aware time in canonical form."""
    if value.tzinfo is None:
        raise ValueError("a time without a zone cannot be put in the ledger")
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")[:26] + "Z"  # a third of the time of strftime


def text_digest(text: str) -> str:
    """Return the digest of a text shown to people."""
    return sha256(text.encode())


def clean_payload(value: Any) -> Any:
    """Return a payload that a JSON store gives back exactly: fractions become text, unknown things too."""
    if type(value) is str and value.isascii() and "\x00" not in value:
        return value
    if isinstance(value, dict):
        return {str(key).replace("\x00", ""): clean_payload(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean_payload(item) for item in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, datetime):
        return moment(value)
    text = str(value).replace("\x00", "")
    return text.encode("utf-8", "replace").decode()


def payload_digest(salt: str, payload: Any) -> str:
    """Return the digest of salt and payload. Without the salt it cannot be guessed from a list of addresses."""
    return sha256(salt.encode() + b"\n" + canonical(payload))
