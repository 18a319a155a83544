"""What a person's row is: everything in it follows from the identifiers and what hangs on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from profiles.identity.graph import DEVICE
from profiles.identity.normalise import normalise
from profiles.identity.traits import PIN, Assertions, belief, stamp, winners

_NOTHING: Assertions = MappingProxyType({})


class Known(NamedTuple):
    """An identifier as far as its person's row needs it; see the model."""

    kind: str
    value: str
    trusted_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime | None = None
    tied: bool = True
    confirmed_at: datetime | None = None
    restricted_at: datetime | None = None
    assertions: Assertions = _NOTHING


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person as written down. The names of the fields are those of the columns."""

    traits: dict[str, Any]
    origins: dict[str, Any]
    display_name: str
    email: str  # the address to send to
    search_text: str
    identified: bool
    first_seen_at: datetime
    last_seen_at: datetime | None
    restricted_at: datetime | None


def person_row(identifiers: Sequence[Known], *, since: datetime) -> PersonRow:
    """Return the row of the person with these identifiers; `since` stands for one without any."""
    ordered = sorted(identifiers, key=_written) if len(identifiers) > 1 else identifiers
    traits, origins = winners([(item.assertions, item.tied) for item in ordered if item.assertions])
    emails, user_ids, words = [], [], []
    first, last, restricted = None, None, None
    for item in ordered:
        if item.kind != DEVICE:
            words.append(item.value)
            if item.kind == "email":
                emails.append(item.value)
            elif item.kind == "user_id":
                user_ids.append(item.value)
        first = item.first_seen_at if first is None else min(first, item.first_seen_at)
        if item.last_seen_at is not None:
            last = item.last_seen_at if last is None else max(last, item.last_seen_at)
        # One restricted identifier restricts the whole person: the stricter word counts.
        if item.restricted_at is not None:
            restricted = item.restricted_at if restricted is None else min(restricted, item.restricted_at)
    address = sending_address("email", ordered) if emails else ""
    name = person_name(traits)
    company = traits.get("company")
    words = [word for word in (name, company if isinstance(company, str) else "", *words) if word]
    shown = name or address or (emails or user_ids or [""])[0]
    return PersonRow(
        traits,
        origins,
        shown[:200],
        address,
        " ".join(words).lower()[:2000],
        bool(emails or user_ids),
        first or since,
        last,
        restricted,
    )


def _written(item: Known) -> tuple[str, str]:
    return item.kind, item.value


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
        if not item.tied or item.kind == DEVICE or kind not in item.assertions:
            continue
        for slot, said in item.assertions[kind].items():
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
    """Return the person's name as the traits have it: `name`, else its parts in order; empty when unknown."""
    parts = [_text(traits, part) for part in ("first_name", "name_infix", "last_name")]
    return _text(traits, "name") or " ".join(part for part in parts if part)


def _text(traits: Mapping[str, Any], name: str) -> str:
    value = traits.get(name)
    return " ".join(value.split())[:200] if isinstance(value, str) else ""
