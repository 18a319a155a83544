"""One click, and it is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from consent.links import Link
from consent.models import ConsentState, Purpose
from consent.policy.states import OBJECTED, WITHDRAWN
from consent.services.entries import ConsentEntry
from consent.services.recording import record_consents
from consent.services.subjects import alive_profiles
from profiles.resolution.rows import lock_profiles


@transaction.atomic
def unsubscribe(*, link: Link, one_click: bool, evidence: Mapping[str, Any]) -> Purpose | None:
    """Withdraw what a link stands for; a second time changes nothing. Return the purpose, None when it is no more.

    A person who was erased meanwhile gets no record and the same answer.
    """
    purpose = Purpose.objects.filter(pk=link.purpose_id).first()
    if purpose is None or link.channel not in purpose.channels:
        return None
    profile_id = alive_profiles([link.profile_id]).get(link.profile_id)
    if profile_id is None:
        return purpose
    lock_profiles([profile_id])  # two clicks at once: the second sees what the first did
    kept = ConsentState.objects.filter(profile_id=profile_id, purpose=purpose, channel=link.channel).first()
    if kept is None or kept.state not in (WITHDRAWN, OBJECTED):
        record_consents(
            [
                ConsentEntry(
                    profile_id=profile_id,
                    purpose_id=purpose.pk,
                    channel=link.channel,
                    state=WITHDRAWN,
                    method="one_click" if one_click else "unsubscribe",
                    actor="subject",
                    evidence=evidence,
                    reference=link.reference,
                    seen=True,
                )
            ]
        )
    return purpose
