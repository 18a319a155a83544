"""The links in the foot of every message: signed, short, and good for ever.

A token is `<payload>.<signature>` in URL-safe base64: the payload is JSON [profile, purpose, channel, reference],
hidden under bytes that follow from its signature (as in SIV, RFC 5297), so no number of ours can be read in a link;
the signature is the first 16 bytes of HMAC-SHA-256 under LINK_KEY. Old keys stay in LINK_KEY_FALLBACKS, so that a link
in a mail of years ago still stops the mail. A token lets its holder say no; it shows no personal data.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.urls import get_script_prefix, reverse

_CONTEXT = b"klantbeeld.consent.link.v1\n"
_HIDING = b"klantbeeld.consent.link.hide.v1\n"
_SIGNATURE_BYTES = 16
LONGEST_TOKEN = 400
#: the profile of links in tests and previews: they look like real ones and change nothing
NOBODY = 0


@dataclass(frozen=True, slots=True)
class Link:
    """What a token stands for."""

    profile_id: int
    purpose_id: int
    channel: str
    reference: str


def make_token(*, profile_id: int, purpose_id: int, channel: str, reference: str) -> str:
    """Return the token of a person's link; `reference` (such as `delivery:12:345`) is kept as evidence."""
    body = json.dumps([profile_id, purpose_id, channel, reference], separators=(",", ":"), ensure_ascii=False).encode()
    signature = _sign(settings.LINK_KEY, body)
    token = f"{_encode(_hide(settings.LINK_KEY, signature, body))}.{_encode(signature)}"
    if len(token) > LONGEST_TOKEN:
        raise ValueError("the reference is too long for a link")
    return token


def read_token(token: str) -> Link | None:
    """Return what a token stands for; None when it is not one of ours."""
    payload, dot, signature = token.partition(".")
    if not dot or len(token) > LONGEST_TOKEN:
        return None
    try:
        hidden, given = _decode(payload), _decode(signature)
    except (binascii.Error, ValueError):
        return None
    keys = [settings.LINK_KEY, *settings.LINK_KEY_FALLBACKS]
    bodies = [(key, _hide(key, given, hidden)) for key in keys]
    # Every key is tried, so that the time taken tells nothing.
    fitting = [body for key, body in bodies if hmac.compare_digest(_sign(key, body), given)]
    if not fitting:
        return None
    profile_id, purpose_id, channel, reference = json.loads(fitting[0])
    return Link(profile_id, purpose_id, channel, reference)


def unsubscribe_url(token: str) -> str:
    """Return the absolute address for List-Unsubscribe and the foot of a message."""
    return settings.SITE_URL + _path("consent:unsubscribe", get_script_prefix()).replace(_PLACE, token)


def preferences_url(token: str) -> str:
    """Return the absolute address of the preference page."""
    return settings.SITE_URL + _path("consent:preferences", get_script_prefix()).replace(_PLACE, token)


#: stands where the token goes; URL-safe base64 needs no quoting in a path, so a token can take its place as it is
_PLACE = "T.T"


@lru_cache(maxsize=8)
def _path(name: str, _prefix: str) -> str:
    """Return a page's path with a mark for the token: looking the route up for every mail took longer than signing."""
    return reverse(name, args=[_PLACE])


def _sign(key: str, body: bytes) -> bytes:
    return hmac.new(key.encode(), _CONTEXT + body, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def _hide(key: str, signature: bytes, data: bytes) -> bytes:
    """Return the bytes hidden, or shown again: the same stream does both."""
    blocks = -(-len(data) // hashlib.sha256().digest_size)
    secret = key.encode()
    stream = b"".join(
        hmac.digest(secret, _HIDING + signature + bytes([number]), hashlib.sha256) for number in range(blocks)
    )
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(stream[: len(data)], "big")
    return mixed.to_bytes(len(data), "big")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise ValueError("not the one way in which these bytes are written")
    return data
