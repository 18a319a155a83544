"""What every export of people says of permission: a column for each purpose and channel."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from cdp.common.registry import PersonColumns
from consent.gate import check
from consent.models import Channel, Purpose
from consent.reasons import gate_text


def permission_columns() -> list[tuple[str, str]]:
    """Return (key, label) of each active purpose and channel."""
    return [(f"{purpose.slug}:{channel}", _label(purpose, channel)) for purpose, channel in _topics()]


def permission_values(profile_ids: Sequence[int]) -> dict[int, dict[str, tuple[bool, str]]]:
    """Return what the gate says now of each of these people: yes, or no and why."""
    found: dict[int, dict[str, tuple[bool, str]]] = {profile_id: {} for profile_id in profile_ids}
    for purpose, channel in _topics():
        decisions = check(profile_ids=profile_ids, purpose_id=purpose.pk, channel=channel)
        for profile_id, decision in decisions.items():
            text = _("yes") if decision.allowed else _("no: %(reason)s") % {"reason": gate_text(decision.reason)}
            found[profile_id][f"{purpose.slug}:{channel}"] = (decision.allowed, text)
    return found


def _topics() -> list[tuple[Purpose, str]]:
    purposes = Purpose.objects.filter(active=True).order_by("name", "pk")
    return [(purpose, channel) for purpose in purposes for channel in purpose.channels]


def _label(purpose: Purpose, channel: str) -> str:
    return _("May get %(purpose)s by %(channel)s") % {"purpose": purpose.name, "channel": Channel(channel).label}


permissions = PersonColumns(columns=permission_columns, values=permission_values)
