"""What events say of permission: the documented shapes, read with no database in sight.

* `Consent Given`, `Consent Withdrawn`, `Consent Refused`, `Consent Objected` (track), properties:
  `purpose` (short name), and optional `channel` (email), `text_version`, `language`, `page_url`, `form`, `proof`.
* `Segment Consent Preference Updated` or `Consent Preference Updated` (track): `context.consent.categoryPreferences`
  is {purpose short name: true | false}; `context.consent.channel` optional.

Only sources with a secret key are believed (see consent.changes).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from consent.policy.states import GIVEN, OBJECTED, REFUSED, WITHDRAWN
from profiles.changes import NewInteraction

STATE_OF_EVENT = {
    "consent given": GIVEN,
    "consent withdrawn": WITHDRAWN,
    "consent refused": REFUSED,
    "consent objected": OBJECTED,
}
PREFERENCE_EVENTS = frozenset({"segment consent preference updated", "consent preference updated"})
DEFAULT_CHANNEL = "email"
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class ConsentStatement:
    """One statement found in an event. `state` is "" for a no that is a refusal or a withdrawal, as the case may be."""

    purpose: str
    channel: str
    state: str
    text_version: int | None
    language: str
    evidence: dict[str, Any]


def speaks_of_consent(interaction: NewInteraction) -> bool:
    """Tell by its name whether an event carries permission."""
    name = interaction.name.lower()
    return interaction.kind == "track" and (name in STATE_OF_EVENT or name in PREFERENCE_EVENTS)


def statements_of(interaction: NewInteraction) -> Iterator[ConsentStatement]:
    """Yield what an event says; nothing when its shape is not one of ours."""
    name = interaction.name.lower()
    if name in PREFERENCE_EVENTS:
        yield from _preferences(interaction)
    elif name in STATE_OF_EVENT:
        properties = interaction.properties
        purpose = properties.get("purpose")
        if isinstance(purpose, str) and purpose:
            version = properties.get("text_version")
            yield ConsentStatement(
                purpose=purpose,
                channel=_text(properties.get("channel")) or DEFAULT_CHANNEL,
                state=STATE_OF_EVENT[name],
                text_version=version if isinstance(version, int) and not isinstance(version, bool) else None,
                language=_text(properties.get("language")),
                evidence=_evidence(interaction),
            )


def _preferences(interaction: NewInteraction) -> Iterator[ConsentStatement]:
    consent = interaction.context.get("consent")
    wishes = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    if not isinstance(consent, dict) or not isinstance(wishes, dict):
        return
    channel = _text(consent.get("channel")) or DEFAULT_CHANNEL
    for purpose, wish in wishes.items():
        if isinstance(wish, bool):
            yield ConsentStatement(purpose, channel, GIVEN if wish else "", None, "", _evidence(interaction))


def _evidence(interaction: NewInteraction) -> dict[str, Any]:
    """Return the personal part: where it was said, and from where."""
    page = interaction.context.get("page")
    found = {
        "event": interaction.name,
        "page_url": _text(interaction.properties.get("page_url"))
        or _text(page.get("url") if isinstance(page, dict) else ""),
        "form": _text(interaction.properties.get("form")),
        "proof": _text(interaction.properties.get("proof")),
        "ip": _text(interaction.context.get("ip")),
        "user_agent": _text(interaction.context.get("userAgent")),
    }
    return {key: value for key, value in found.items() if value}


def _text(value: Any) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
