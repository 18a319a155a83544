"""Who is sending: find the write key in a request, and the source that it belongs to."""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from dataclasses import dataclass
from itertools import islice
from urllib.parse import parse_qs

from profiles.collector.errors import Refusal
from profiles.messages.limits import MAX_KEY

BROWSER_PREFIX = "kb_pub_"
SERVER_PREFIX = "kb_sec_"
_WRITTEN_KEY = re.compile(rb'"writeKey"\s*:\s*"([^"\\]{1,200})"')
_TAKEN_OUT = b"(secret key)"


@dataclass(frozen=True)
class KnownSource:
    """A source as the collector knows it."""

    id: int
    name: str
    browser: bool
    enabled: bool
    allowed_origins: tuple[str, ...] = ()


def digest_of(key: str) -> str:
    """Return the stored form of a write key; keys have 192 bits of chance, so a plain digest cannot be guessed."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def key_from_headers(authorization: bytes) -> str:
    """Return the write key of a Basic or Bearer header; empty when there is none.

    Basic carries the key as the user's name; the colon behind it is sometimes missing, and the password is empty.
    """
    scheme, _, value = authorization.partition(b" ")
    value = value.strip()
    if scheme.lower() == b"bearer":
        return value.decode("latin-1")
    if scheme.lower() != b"basic":
        return ""
    try:
        decoded = b64decode(value + b"=" * (-len(value) % 4), validate=False)
    except (binascii.Error, ValueError):
        return ""
    return decoded.partition(b":")[0].decode("utf-8", "replace").strip()


def key_from_query(query: bytes) -> str:
    """Return `?writeKey=`, as beacons send it; empty when there is none."""
    if b"writeKey" not in query:
        return ""
    return parse_qs(query.decode("latin-1")).get("writeKey", [""])[0].strip()


def keys_in(body: bytes) -> list[str]:
    """Return what stands as `writeKey` anywhere in some JSON, by one pass that decodes nothing; eight at the most."""
    found: dict[str, None] = {}
    for match in islice(_WRITTEN_KEY.finditer(body), 100):
        found[match[1].decode("utf-8", "replace").strip()] = None
    return list(islice(found, 8))


def without_key(body: bytes, key: str) -> bytes:
    """Return the body without the key, however its letters are escaped."""
    body = body.replace(key.encode(), _TAKEN_OUT)
    if b"\\u00" not in body:
        return body
    letters = [
        b"(?:%b|\\\\u00%b)" % (re.escape(bytes([b])), b"".join(_either_case(d) for d in f"{b:02x}"))
        for b in key.encode()
    ]
    return re.sub(b"".join(letters), lambda _key: _TAKEN_OUT, body)


def _either_case(digit: str) -> bytes:
    return f"[{digit}{digit.upper()}]".encode()


def checked(key: str) -> str:
    """Return the key; refuse what cannot be one, so that a stray body is not hashed and remembered."""
    if not key:
        raise Refusal(
            401,
            "missing_key",
            "No write key: send it as the Basic user name, or as writeKey in the body.",
        )
    if len(key) > MAX_KEY.value:
        raise unknown_key(key)
    return key


def unknown_key(key: str) -> Refusal:
    """Return the refusal of a key that opens nothing."""
    return Refusal(
        401,
        "invalid_key",
        "This write key is unknown. Copy it again from the source's page.",
        key_start=start_of_key(key),
    )


def start_of_key(key: str) -> str:
    """Return the first characters of a key, enough to find it among one's own; all may see them."""
    prefix = next((prefix for prefix in (BROWSER_PREFIX, SERVER_PREFIX) if key.startswith(prefix)), "")
    shown = len(prefix) + (4 if len(key) - len(prefix) >= 16 else 0)
    return "".join(letter for letter in key[:shown] if letter.isprintable()) + "…"
