"""The columns of a person that follow from traits and identifiers: name, address to send to, search text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Known:
    """An identifier as far as the derived columns need it."""

    kind: str
    value: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Derived:
    """The columns of a profile that follow from its traits and identifiers."""

    display_name: str
    email: str
    search_text: str
    identified: bool


def derive(traits: Mapping[str, Any], identifiers: Iterable[Known]) -> Derived:
    """Return the name to show, the address to send to (trusted only), the search text, and whether it is known who."""
    ordered = sorted(identifiers, key=lambda item: (item.kind, item.value))
    emails = [item for item in ordered if item.kind == "email"]
    trusted = [item.value for item in emails if item.trusted]
    said = str(traits.get("email") or "").strip().lower()
    address = said if said in trusted else (trusted[0] if trusted else "")
    user_ids = [item.value for item in ordered if item.kind == "user_id"]
    name = person_name(traits)
    shown = name or address or (emails[0].value if emails else "") or (user_ids[0] if user_ids else "")
    words = [name, str(traits.get("company") or "") if isinstance(traits.get("company"), str) else ""]
    words += [item.value for item in ordered if item.kind != "anonymous_id"]
    return Derived(
        shown[:200], address, " ".join(word for word in words if word).lower()[:2000], bool(emails or user_ids)
    )


def person_name(traits: Mapping[str, Any]) -> str:
    """Return the person's name as the traits have it: `name`, else first and last name; empty when unknown."""
    whole = _text(traits, "name")
    if whole:
        return whole
    first = _text(traits, "first_name", "firstName", "firstname", "given_name")
    last = _text(traits, "last_name", "lastName", "lastname", "family_name")
    return f"{first} {last}".strip()


def _text(traits: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = traits.get(name)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())[:200]
    return ""
