"""One written form per identifier, so that two spellings of one address are one person."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from email_validator import EmailNotValidError, validate_email

from profiles.identity.phones import normal_phone

MAX_LENGTH = 320
_PLAIN_EMAIL = re.compile(
    r"^[a-z0-9_%+'-]+(?:\.[a-z0-9_%+'-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}$"
)
#: marks that change how text looks and not what it says: zero-width characters, direction overrides, soft hyphen
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb]"
)


def plain_text(value: str) -> str:
    """Return text in NFC without invisible marks, control characters and outer blanks."""
    if value.isascii() and value.isprintable():
        return value.strip()
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", value))
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs")).strip()


@lru_cache(maxsize=65536)
def normal_email(value: str) -> str:
    """Return the one form of a mail address (lower case, NFC, IDNA domain); empty when it is not an address.

    The domain of an international address is written in punycode, so that a look-alike shows itself.
    """
    text = plain_text(value).lower().rstrip(".")
    text = unicodedata.normalize("NFC", text)
    if len(text) > 254:
        return ""
    if _PLAIN_EMAIL.match(text) and len(text.partition("@")[0]) <= 64 and "xn--" not in text:
        return text
    try:
        parts = validate_email(text, check_deliverability=False, test_environment=True)
    except (EmailNotValidError, UnicodeError, ValueError):
        return ""
    local = unicodedata.normalize("NFC", (parts.local_part or "").lower())
    return f"{local}@{parts.ascii_domain.lower()}"


def normalise(kind: str, value: Any, region: str = "") -> str:
    """Return the one form of an identifier's value; empty when there is none (null, an object, too long).

    `region` is the country of a telephone number without one; by default that of the installation.
    """
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float):
        value = int(value) if value.is_integer() else repr(value)
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str):
        return ""
    if kind == "email":
        return normal_email(value)
    if kind == "phone":
        return normal_phone(plain_text(value), region)
    text = plain_text(value)
    return text if len(text) <= MAX_LENGTH else ""
