"""Hide names and addresses from readers who may see figures but not people (`profiles.view_pii`)."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

PII_PERMISSION = "profiles.view_pii"
DOTS = "•••"

#: words of a trait's or property's name that say: this is about who somebody is
PERSONAL_WORDS = frozenset(
    {
        "name",
        "firstname",
        "lastname",
        "surname",
        "fullname",
        "displayname",
        "nickname",
        "username",
        "email",
        "mail",
        "phone",
        "mobile",
        "telephone",
        "tel",
        "address",
        "street",
        "housenumber",
        "postcode",
        "zip",
        "zipcode",
        "postalcode",
        "birthday",
        "birthdate",
        "dob",
        "born",
        "avatar",
        "photo",
        "ip",
        "iban",
        "bsn",
        "ssn",
        "passport",
        "vat",
        "latitude",
        "longitude",
        "lat",
        "lng",
        "useragent",
    }
)
_ADDRESS = re.compile(r"[^\s@<>\"',;:=&?/]+(?:@|%40)[^\s@<>\"',;&?/]+", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.])\+?\d[\d\s()./-]{7,18}\d(?![\w.])")


def can_see_pii(user: Any) -> bool:
    """Tell whether this reader may see names, addresses and raw events."""
    return bool(user is not None and user.has_perm(PII_PERMISSION))


def mask_word(word: str) -> str:
    """Keep the first letter: `Anna` becomes `A•••`."""
    return word[0] + DOTS if word else ""


def mask_name(name: str) -> str:
    """Mask every word of a name; an address given as a name is masked as one."""
    if "@" in name:
        return mask_email(name)
    return " ".join(mask_word(word) for word in name.split())


def mask_email(address: str) -> str:
    """Mask both halves and keep the last label: `anna@example.org` becomes `a•••@e•••.org`."""
    local, at, domain = address.rpartition("@")
    if not at:
        return mask_word(address)
    head, dot, last = domain.rpartition(".")
    return f"{mask_word(local)}@{mask_word(head)}{dot}{last}" if dot else f"{mask_word(local)}@{mask_word(domain)}"


def mask_identifier(kind: str, value: str) -> str:
    """Mask an identifier: addresses by halves, anything else down to its last two characters."""
    if kind == "email" or "@" in value:
        return mask_email(value)
    return DOTS + value[-2:] if len(value) > 4 else DOTS


def mask_text(text: str) -> str:
    """Mask the mail addresses and telephone numbers inside running text or a web address."""
    without_addresses = _ADDRESS.sub(lambda hit: mask_email(hit[0].replace("%40", "@")), text)
    return _PHONE.sub(DOTS, without_addresses)


def is_personal(key: str) -> bool:
    """Tell whether a trait's name speaks of who somebody is (`first_name`, `homeAddress`, `e-mail`)."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key)
    words = [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    pairs = {first + second for first, second in pairwise(words)}
    return bool(PERSONAL_WORDS & ({*words, "".join(words)} | pairs))


def mask_value(key: str, value: Any) -> Any:
    """Mask the value of a trait or property for a reader without permission, lists and objects included."""
    if isinstance(value, dict):
        return {name: mask_value(f"{key} {name}" if is_personal(key) else name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [mask_value(key, item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if is_personal(key):
        return mask_name(str(value)) if isinstance(value, str) else DOTS
    return mask_text(value) if isinstance(value, str) else value
