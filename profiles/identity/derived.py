"""The columns of a person that follow from traits and identifiers: name, address to send to, search text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from profiles.identity.graph import DEVICE
from profiles.identity.normalise import normalise
from profiles.identity.traits import PIN, Assertions, belief, stamp


@dataclass(frozen=True, slots=True)
class Known:
    """An identifier as far as the derived columns need it; see the model."""

    kind: str
    value: str
    trusted_at: datetime | None
    tied: bool = True
    confirmed_at: datetime | None = None
    assertions: Assertions = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Derived:
    """The columns of a profile that follow from its traits and identifiers."""

    display_name: str
    email: str
    search_text: str
    identified: bool


def derive(traits: Mapping[str, Any], identifiers: Iterable[Known]) -> Derived:
    """Return what follows from a person's traits and identifiers."""
    ordered = sorted(identifiers, key=lambda item: (item.kind, item.value))
    emails = [item.value for item in ordered if item.kind == "email"]
    user_ids = [item.value for item in ordered if item.kind == "user_id"]
    address = sending_address("email", ordered)
    name = person_name(traits)
    shown = name or address or (emails[0] if emails else "") or (user_ids[0] if user_ids else "")
    company = traits.get("company")
    words = [name, company if isinstance(company, str) else ""]
    words += [item.value for item in ordered if item.kind != DEVICE]
    return Derived(
        shown[:200], address, " ".join(word for word in words if word).lower()[:2000], bool(emails or user_ids)
    )


def sending_address(kind: str, identifiers: Sequence[Known]) -> str:
    """Return the address of a kind (email, phone) that messages go to; empty when there is none.

    Only addresses that links of trusted sources tie to the person are sent to. Among these the newest statement
    decides: what a trusted source said of the person under a user id (or another identifier that is no device), what
    staff pinned, or that the person answered at the address. A message that names but a device, or an address beside
    another one, moves nothing. Without any statement it is the address that a trusted source gave first.
    """
    addresses = {item.value: item for item in identifiers if item.kind == kind and item.trusted_at and item.tied}
    if not addresses:
        return ""
    statements: list[tuple[bool, str, str, str]] = []
    for item in identifiers:
        if not item.tied or item.kind == DEVICE:
            continue
        for slot, said in item.assertions.get(kind, {}).items():
            value = normalise(kind, said["v"])
            # An address does not say of itself that it is whose; a value that is no address says nothing.
            if not belief(slot, True).trusted or (item.kind == kind and item.value == value):
                continue
            if value in addresses or said["v"] is None:
                statements.append((slot == PIN, said["t"], said["m"], value))
    for item in addresses.values():
        if item.confirmed_at:
            statements.append((False, stamp(item.confirmed_at), "", item.value))
    if statements:
        return max(statements)[-1]
    return min((item.trusted_at, item.value) for item in addresses.values() if item.trusted_at)[1]


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
