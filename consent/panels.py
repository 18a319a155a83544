"""The card "What we may do" on a person's page, and what consent adds to the timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from cdp.common.registry import TimelineEntry
from consent.actors import actor_names, proof_text
from consent.gate import Answer, answers_for
from consent.models import Channel, ConsentRecord
from consent.policy.states import GIVEN, SOFT_OPT_IN
from consent.querysets.records import of_person
from consent.reasons import gate_text
from profiles.models import Profile

#: states that may allow
ALLOWING = (GIVEN, SOFT_OPT_IN)


def consent_panel(request: HttpRequest, profile: Profile) -> dict[str, Any]:
    """Return purpose by channel: allowed or not, because of which record, with the words they saw."""
    answers = answers_for(profile.pk)
    ids = {answer.decision.record_id for answer in answers if answer.decision.record_id is not None}
    records = {row.pk: row for row in ConsentRecord.objects.filter(pk__in=ids).select_related("text")}
    names = actor_names(row.actor for row in records.values())
    rows = [_row(answer, records, names) for answer in answers]
    yes = [answer.purpose.name for answer in answers if answer.decision.allowed and answer.channel == "email"]
    mailable = _("may mail: %(purposes)s") % {"purposes": ", ".join(yes)} if yes else _("may mail: no")
    return {"answers": rows, "header_chips": [(mailable, "good" if yes else "warn")] if answers else []}


def _row(answer: Answer, records: dict[int, ConsentRecord], names: dict[str, str]) -> dict[str, Any]:
    record = records.get(answer.decision.record_id or 0)
    return {
        "purpose": answer.purpose,
        "channel_label": dict(Channel.choices).get(answer.channel, answer.channel),
        "decision": answer.decision,
        "reason": _allowed_because(answer) if answer.decision.allowed else gate_text(answer.decision.reason),
        "proof": proof_text(record, names[record.actor]) if record is not None and record.state in ALLOWING else "",
        "since": record.occurred_at if record is not None else None,
        "words": record.text.text if record is not None and record.text is not None else "",
    }


def _allowed_because(answer: Answer) -> str:
    if answer.state is not None and answer.state.state == SOFT_OPT_IN:
        return _("bought, and did not refuse (soft opt-in)")
    if answer.decision.record_id is not None:
        return _("gave permission")
    return _("needs none (%(basis)s)") % {"basis": answer.purpose.get_basis_display()}


def consent_timeline(
    profile_id: int, before: datetime | None, limit: int, kinds: set[str] | None = None
) -> list[TimelineEntry]:
    """Return what a person said, newest first."""
    if kinds and "consent" not in kinds:
        return []
    rows = of_person(ConsentRecord.objects.select_related("purpose", "text"), profile_id)
    if before is not None:
        rows = rows.filter(occurred_at__lt=before)
    return [_entry(row) for row in rows.order_by("-occurred_at", "-pk")[:limit]]


def _entry(row: ConsentRecord) -> TimelineEntry:
    title = f"{row.purpose.name}: {row.get_state_display()}"
    meta = [row.get_channel_display(), row.get_method_display()]
    if row.text is not None:
        meta.append(f"v{row.text.version}")
    return TimelineEntry(
        at=row.occurred_at,
        kind="consent",
        title=title,
        chip=str(row.get_state_display()),
        major=True,
        meta=tuple(str(item) for item in meta),
    )
