"""Small helpers that make people, purposes and statements through the real services."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from consent.models import ConsentEvidence, ConsentRecord, ConsentState, Purpose
from consent.services import create_purpose, record_consent
from profiles.models import Identifier, Profile, Source

_numbers = itertools.count(1)


def at(day: int, hour: int = 0) -> datetime:
    """Return a moment in March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def person(email: str | None = "", *, trusted: bool = True, confirmed: bool = False, **fields: Any) -> Profile:
    """Make a person with a mail address (None: only a device)."""
    number = next(_numbers)
    address = f"person{number}@klantbeeld.example" if email == "" else email
    profile = Profile.objects.create(
        first_seen_at=at(1),
        last_seen_at=at(1),
        email=(address or "") if trusted else "",
        identified=bool(address),
        **fields,
    )
    if address:
        identifier(profile, "email", address, trusted=trusted, confirmed=confirmed)
    else:
        identifier(profile, "anonymous_id", f"device-{number}")
    return profile


def identifier(profile: Profile, kind: str, value: str, *, trusted: bool = True, confirmed: bool = False) -> Identifier:
    """Add an identifier to a person."""
    return Identifier.objects.create(
        kind=kind,
        value=value,
        profile=profile,
        anchored_profile_id=profile.pk,
        trusted_at=at(1) if trusted else None,
        confirmed_at=at(1) if confirmed else None,
        first_seen_at=at(1),
        last_seen_at=at(1),
    )


#: what a purpose needs that rests on soft opt-in
SALE_FACTS = {
    "event": "Order Completed",
    "seller": "Shop B.V.",
    "products": "the same",
    "offered_since": "2026-01-01",
    "offered_how": "a box at the checkout",
    "refused_property": "",
}


def purpose(slug: str = "newsletter", **fields: Any) -> Purpose:
    """Make a purpose."""
    if fields.get("basis") == "soft_opt_in":
        fields.setdefault("soft_opt_in", SALE_FACTS)
    return create_purpose(name=slug.title(), slug=slug, **fields)


def say(profile: Profile, of: Purpose, state: str, *, method: str = "form", **fields: Any) -> ConsentRecord:
    """Record a statement of a person."""
    fields.setdefault("evidence", {"page_url": "https://shop.example/news", "ip": "192.0.2.0"})
    return record_consent(
        profile_id=profile.pk,
        purpose=of,
        channel=fields.pop("channel", "email"),
        state=state,
        method=method,
        actor="subject",
        **fields,
    )


def state_of(profile: Profile, of: Purpose, channel: str = "email") -> str:
    """Return what holds, or ""."""
    row = ConsentState.objects.filter(profile_id=profile.pk, purpose=of, channel=channel).first()
    return row.state if row is not None else ""


def source(kind: str = "server") -> Source:
    """Make a source."""
    number = next(_numbers)
    return Source.objects.create(name=f"Source {number}", slug=f"source-{number}", kind=kind)


def payload_of(evidence: ConsentEvidence) -> dict[str, Any]:
    """Return the personal part of a record, which must not be erased."""
    assert evidence.payload is not None
    return dict(evidence.payload)
