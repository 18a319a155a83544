"""What a person allows, in the person's answer of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from consent.gate import answers_for, check
from consent.models import Channel, ConsentState, Purpose
from consent.policy.decisions import Decision


class PermissionOfPerson(serializers.Serializer[Any]):
    """What a person said of a purpose and channel, and what follows from it and from all else that the gate asks."""

    purpose_id = serializers.CharField(read_only=True, help_text="As in `/purposes/{id}/`.")
    purpose = serializers.CharField(read_only=True, help_text="Its name.")
    channel = serializers.ChoiceField(choices=Channel.choices, read_only=True)
    basis = serializers.CharField(read_only=True, help_text="The legal basis of the purpose.")
    state = serializers.CharField(read_only=True, help_text="What was said last; empty: nothing.")
    stated_at = serializers.DateTimeField(read_only=True, allow_null=True)
    allowed = serializers.BooleanField(
        read_only=True,
        help_text="Whether a message may go out now. Follows from the person, from suppressed addresses and from the "
        "terms of the purpose; a change of the purpose itself is not in the change feed of people.",
    )
    reason = serializers.CharField(read_only=True, help_text="Why not; empty when it may.")


def permissions_of(profile_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Return what people allow, for every active purpose and channel, by person."""
    if len(profile_ids) == 1:  # by the person's own rows; the statement for many may read all suppressed addresses
        return {
            profile_ids[0]: [
                _row(answer.purpose, answer.channel, answer.state, answer.decision)
                for answer in answers_for(profile_ids[0])
            ]
        }
    found: dict[int, list[dict[str, Any]]] = {profile_id: [] for profile_id in profile_ids}
    said = {
        (row.profile_id, row.purpose_id, row.channel): row
        for row in ConsentState.objects.filter(profile_id__in=profile_ids)
    }
    for purpose in Purpose.objects.filter(active=True).order_by("name", "pk"):
        for channel in purpose.channels:
            decisions = check(profile_ids=profile_ids, purpose_id=purpose.pk, channel=channel)
            for profile_id, decision in decisions.items():
                found[profile_id].append(_row(purpose, channel, said.get((profile_id, purpose.pk, channel)), decision))
    return found


def _row(purpose: Purpose, channel: str, state: Any, decision: Decision) -> dict[str, Any]:
    return {
        "purpose_id": purpose.slug,
        "purpose": purpose.name,
        "channel": channel,
        "basis": purpose.basis,
        "state": state.state if state is not None else "",
        "stated_at": state.since if state is not None else None,
        "allowed": decision.allowed,
        "reason": decision.reason,
    }
