"""The card "What we may do" on a person's page, the timeline, and the home page's figure of a permission."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count as CountOf
from django.db.models import Q
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.counting import Count, capped_count, estimated_count
from cdp.common.registry import TimelineEntry
from consent.actors import actor_names, proof_text
from consent.gate import Answer, answers_for
from consent.models import Channel, ConsentRecord, ConsentState, Purpose
from consent.policy.states import GIVEN, SOFT_OPT_IN, WITHDRAWN
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


# The home page ------------------------------------------------------------------------------------------------------
DAYS = 30
KEEP_SECONDS = 300
#: records of the days that the line is counted from; with more there is no line
MOST_RECORDS = 100_000


def agreed_card(_request: HttpRequest) -> dict[str, Any] | None:
    """Return the figure; None while there is no marketing purpose that mails."""
    purpose = (
        Purpose.objects.filter(active=True, is_marketing=True, channels__contains=[Channel.EMAIL])
        .order_by("id")
        .first()
    )
    if purpose is None:
        return None
    key = f"consent.agreed.{purpose.pk}.{timezone.get_current_timezone_name()}"  # the days are the reader's
    found = cache.get_or_set(key, lambda: _measure(purpose), KEEP_SECONDS)
    assert found is not None
    count, points = found
    return {
        "label": _("Agreed to %(purpose)s") % {"purpose": purpose.name},
        "value": count.value,
        "points": points,
        "detail": _("about, by the database's statistics") if count.about else "",
    }


def _measure(purpose: Purpose) -> tuple[Count, list[int]]:
    """Return how many agree now, and how many did at the end of each of the last days, counted back by the ledger.

    The line is empty when it would read too many records.
    """
    now = estimated_count(ConsentState.objects.filter(purpose=purpose, channel=Channel.EMAIL, state=GIVEN))
    today = timezone.localdate()
    since = timezone.now() - timedelta(days=DAYS)
    records = ConsentRecord.objects.filter(recorded_at__gte=since)
    if now.about or capped_count(records, MOST_RECORDS) > MOST_RECORDS:
        return now, []
    rows = (
        records.filter(purpose=purpose, channel=Channel.EMAIL)
        .annotate(day=TruncDate("recorded_at"))
        .values("day")
        .annotate(came=CountOf("pk", filter=Q(state=GIVEN)), went=CountOf("pk", filter=Q(state=WITHDRAWN)))
    )
    moved = {row["day"]: row["came"] - row["went"] for row in rows}
    points, level = [], now.value
    for back in range(DAYS):
        points.append(max(level, 0))
        level -= moved.get(today - timedelta(days=back), 0)
    return now, points[::-1]
