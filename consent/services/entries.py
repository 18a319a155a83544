"""What is to be recorded, checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from cdp.common.models import ApiToken
from consent.models import Purpose
from consent.models.ledger import Method, State
from consent.policy.states import GIVEN, INVALIDATED, UNPROVEN, proof_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentEntry:
    """One statement to record. `evidence` is the personal part: address, page, words of a letter; it can be erased."""

    profile_id: int
    purpose_id: int
    channel: str
    state: str
    method: str
    actor: str
    identifier_id: int | None = None  # the profile's strongest identifier when None
    source_id: int | None = None
    text_id: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None  # now when None
    reference: str = ""
    because_id: int | None = None
    seen: bool = False  # a page of ours took the answer from the person: only such pages state it

    @property
    def proof(self) -> str:
        """Return how well it is known: seen, claimed or none."""
        return proof_of(
            method=self.method,
            seen=self.seen,
            has_words=self.text_id is not None,
            has_proof=bool(self.evidence.get("proof")),
        )


def actor_label(actor: Any) -> str:
    """Return how an actor is written in the ledger: a text as it is, an API token by its id, a user by name."""
    if isinstance(actor, str):
        return actor[:150]
    if isinstance(actor, ApiToken):
        return f"token:{actor.uuid}"
    if actor is not None and getattr(actor, "is_authenticated", False):
        return f"user:{actor.get_username()}"[:150]
    return "system"


def check_entries(entries: Sequence[ConsentEntry]) -> dict[int, Purpose]:
    """Refuse an unknown purpose, channel, state or method, and an unproven yes of an import or the API.

    Return the purposes with the version in force of each.
    """
    purposes = Purpose.objects.select_related("current").in_bulk({entry.purpose_id for entry in entries})
    fine: set[tuple[Any, ...]] = set()  # what a block of thousands says is mostly the same: look at each kind once
    for number, entry in enumerate(entries):
        kind = (entry.purpose_id, entry.channel, entry.state, entry.method, entry.text_id is None, entry.proof)
        if kind in fine:
            continue
        place = f"entry {number + 1}" if len(entries) > 1 else ""
        purpose = purposes.get(entry.purpose_id)
        if purpose is None:
            raise CdpError(
                "consent.unknown_purpose", _("There is no such purpose."), place=place or "purpose", status=404
            )
        if entry.channel not in purpose.channels:
            raise CdpError(
                "consent.wrong_channel",
                _("“%(purpose)s” is not meant for this channel. Choose one of: %(channels)s.")
                % {"purpose": purpose.name, "channels": ", ".join(purpose.channels)},
                place=place or "channel",
            )
        if entry.state not in State.values:
            raise CdpError("consent.unknown_state", _("There is no such state."), place=place or "state")
        if (entry.state == INVALIDATED) != (entry.method == Method.IMPORT_UNDONE):
            raise CdpError("consent.unknown_state", _("There is no such state."), place=place or "state")
        if entry.method not in Method.values:
            raise CdpError("consent.unknown_method", _("There is no such method."), place=place or "method")
        if entry.state == GIVEN and entry.method in _PROOF_NEEDED and entry.proof == UNPROVEN:
            raise CdpError(
                "consent.no_proof",
                _("A permission needs a proof: the words that were shown, or how and when it was given."),
                place=place or "evidence",
            )
        fine.add(kind)
    return purposes


#: somebody else says that the person agreed: then let them say how they know
_PROOF_NEEDED = frozenset({Method.IMPORT, Method.API, Method.OFFICER, Method.PAPER, Method.PHONE, Method.MAIL})
