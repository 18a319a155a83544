"""What a person does on the public pages: choose topics, or say no to everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from django.db import transaction

from consent.models import ConsentState, Purpose
from consent.policy.states import GIVEN, OBJECTED, SOFT_OPT_IN, WITHDRAWN
from consent.services.entries import ConsentEntry, actor_label
from consent.services.purposes import current_text
from consent.services.recording import record_consents


@transaction.atomic
def object_to_marketing(
    *,
    profile_id: int,
    method: str,
    actor: Any,
    evidence: Mapping[str, Any] | None = None,
    reference: str = "",
    seen: bool = False,
) -> list[int]:
    """Record the objection to all direct marketing (GDPR art. 21): every marketing purpose, every channel."""
    entries = [
        ConsentEntry(
            profile_id=profile_id,
            purpose_id=purpose.pk,
            channel=channel,
            state=OBJECTED,
            method=method,
            actor=actor_label(actor),
            evidence=evidence or {},
            reference=reference,
            seen=seen,
        )
        for purpose in Purpose.objects.filter(is_marketing=True).order_by("pk")
        for channel in purpose.channels
    ]
    return record_consents(entries)


@transaction.atomic
def save_preferences(
    *,
    profile_id: int,
    wanted: Set[tuple[int, str]],
    offered: Set[tuple[int, str]],
    language: str,
    evidence: Mapping[str, Any],
    reference: str = "",
) -> list[int]:
    """Record the answers that differ from what holds; `offered` are the boxes that were on the page."""
    purposes = Purpose.objects.filter(active=True).in_bulk({purpose_id for purpose_id, _channel in offered})
    states = marketing_states(profile_id)
    unsaid = unsaid_state(states.values())
    entries = []
    for purpose_id, channel in sorted(offered):
        purpose = purposes.get(purpose_id)
        holds = states.get((purpose_id, channel), unsaid)
        says_yes = (purpose_id, channel) in wanted
        if purpose is None or says_yes == holds_yes(purpose, holds):
            continue
        text = current_text(purpose, language)
        entries.append(
            ConsentEntry(
                profile_id=profile_id,
                purpose_id=purpose_id,
                channel=channel,
                state=GIVEN if says_yes else WITHDRAWN,
                method="preferences",
                actor="subject",
                text_id=text.pk if text is not None else None,
                evidence=evidence,
                reference=reference,
                seen=True,
            )
        )
    return record_consents(entries)


def marketing_topics() -> list[str]:
    """Return the names of all that an objection ends."""
    return list(Purpose.objects.filter(is_marketing=True, active=True).order_by("name").values_list("name", flat=True))


def marketing_states(profile_id: int) -> dict[tuple[int, str], str]:
    """Return what holds for the marketing purposes of a person."""
    rows = ConsentState.objects.filter(profile_id=profile_id, purpose__is_marketing=True)
    return {(row.purpose_id, row.channel): row.state for row in rows}


def unsaid_state(states: Iterable[str]) -> str:
    """Return what silence means: an objection to any marketing also covers what was never spoken of."""
    return OBJECTED if OBJECTED in states else ""


def holds_yes(purpose: Purpose, state: str) -> bool:
    """Tell whether the answer that holds is a yes; where no opt-in is needed, silence is one."""
    terms = purpose.terms
    return state in terms.allowing_states or (not terms.opt_in and state in ("", SOFT_OPT_IN))
