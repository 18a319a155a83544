"""Columns of a contact file that speak of permission: one per purpose and channel.

A file may lower a permission. It raises one only with the proof that the person who imports states, and never over an
objection or a withdrawal that was recorded after the proof was obtained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consent.models import Channel, ConsentState, Purpose
from consent.policy.states import GIVEN, OBJECTED, REFUSED, SOFT_OPT_IN, WITHDRAWN
from consent.services.entries import ConsentEntry, actor_label
from consent.services.recording import record_consents
from profiles.importing.targets import ImportTarget, TargetJob, TargetOutcome, TargetRow
from profiles.models import Source

YES = frozenset({"yes", "y", "ja", "j", "true", "1", "x", "given", "opt-in", "optin", "in", "subscribed", "oui"})
NO = frozenset({"no", "n", "nee", "nein", "false", "0", "withdrawn", "opt-out", "optout", "out", "unsubscribed", "non"})
OBJECTION = frozenset({"objected", "objection", "bezwaar", "never"})
COUNT_LABELS = {
    "raised": gettext_lazy("permissions raised, with the stated proof"),
    "lowered": gettext_lazy("permissions lowered"),
    "unchanged": gettext_lazy("permissions unchanged"),
    "refused": gettext_lazy("permissions not raised"),
}


def consent_targets() -> list[ImportTarget]:
    """Return a target for every active purpose and channel."""
    labels = dict(Channel.choices)
    return [
        ImportTarget(
            name=f"consent:{purpose.slug}:{channel}",
            label=_("%(purpose)s by %(channel)s") % {"purpose": purpose.name, "channel": labels.get(channel, channel)},
            group=_("Permission"),
            help=_("yes, no or objected. A yes counts only with a stated proof; a no always counts."),
            check=check_answer,
            plan=partial(plan_answers, purpose=purpose, channel=channel),
            apply=partial(apply_answers, purpose=purpose, channel=channel),
            lowers=takes_away,
            accepts_proof=True,
            count_labels=COUNT_LABELS,
            header_guesses=[purpose.slug, purpose.name.lower(), f"consent {purpose.slug}", f"optin {purpose.slug}"],
        )
        for purpose in Purpose.objects.filter(active=True)
        for channel in purpose.channels
    ]


def check_answer(text: str) -> tuple[Any, str]:
    """Return the state that a cell speaks of; pure."""
    word = text.strip().lower()
    if word in YES:
        return GIVEN, ""
    if word in NO:
        return WITHDRAWN, ""
    if word in OBJECTION:
        return OBJECTED, ""
    return None, "not_yes_or_no"


def takes_away(value: Any) -> bool:
    """Tell whether an answer is a no."""
    return value in (WITHDRAWN, OBJECTED)


def plan_answers(rows: Sequence[TargetRow], job: TargetJob, *, purpose: Purpose, channel: str) -> TargetOutcome:
    """Say what the rows would do; write nothing."""
    outcome, _rows = _judge(rows, job, purpose, channel)
    return outcome


def apply_answers(rows: Sequence[TargetRow], job: TargetJob, *, purpose: Purpose, channel: str) -> TargetOutcome:
    """Record what changes."""
    outcome, wanted = _judge(rows, job, purpose, channel)
    source_id = Source.objects.filter(slug="import").values_list("pk", flat=True).first()
    actor = actor_label(job.actor)
    entries = [
        ConsentEntry(
            profile_id=row.profile_id,
            identifier_id=row.identifier_id,
            purpose_id=purpose.pk,
            channel=channel,
            state=state,
            method="import",
            actor=actor,
            source_id=source_id,
            evidence=_evidence(row, job, state),
            occurred_at=_said_at(job) if state == GIVEN else job.at,
            reference=f"import:{job.import_id}",
        )
        for row, state in wanted
        if row.profile_id is not None
    ]
    record_consents(entries, tell=False)  # the import announces the people it touched
    return outcome


def _judge(
    rows: Sequence[TargetRow], job: TargetJob, purpose: Purpose, channel: str
) -> tuple[TargetOutcome, list[tuple[TargetRow, str]]]:
    """Return the counts and the rows that change something, with the state to record."""
    people = {row.profile_id for row in rows if row.profile_id is not None}
    states = {
        row.profile_id: row
        for row in ConsentState.objects.filter(profile_id__in=people, purpose=purpose, channel=channel)
    }
    objected: set[int] = set()
    if purpose.is_marketing:
        elsewhere = ConsentState.objects.filter(profile_id__in=people, purpose__is_marketing=True, state=OBJECTED)
        objected = set(elsewhere.values_list("profile_id", flat=True))
    counts: Counter[str] = Counter()
    outcome = TargetOutcome()
    wanted: list[tuple[TargetRow, str]] = []
    for row in rows:
        kept = states.get(row.profile_id) if row.profile_id is not None else None
        word, code, state = _verdict(str(row.value), kept, row.profile_id in objected, job)
        counts[word] += 1
        if code:
            outcome.refused[row.line] = code
        elif state:
            wanted.append((row, state))
    outcome.counts = dict(counts)
    return outcome, wanted


def _verdict(value: str, kept: ConsentState | None, objected: bool, job: TargetJob) -> tuple[str, str, str]:
    """Return (count word, refusal code, state to record)."""
    held = kept.state if kept is not None else ""
    if value == GIVEN:
        if held == GIVEN:
            return "unchanged", "", ""
        if held == OBJECTED or objected:
            return "refused", "consent.objected", ""
        if job.proof is None:
            return "refused", "no_proof", ""
        if kept is not None and held != SOFT_OPT_IN and _said_at(job) < kept.since:
            return "refused", "consent.withdrawn_later", ""
        return "raised", "", GIVEN
    if held in (value, OBJECTED) or (held in (WITHDRAWN, REFUSED) and value == WITHDRAWN):
        return "unchanged", "", ""
    return "lowered", "", value if held else (REFUSED if value == WITHDRAWN else value)


def _said_at(job: TargetJob) -> datetime:
    """Return the end of the day on which the permission was obtained, never later than the import."""
    if job.proof is None:
        return job.at
    try:
        day = datetime.fromisoformat(job.proof.obtained_on)
    except ValueError:
        return job.at
    return min(day.replace(tzinfo=day.tzinfo or UTC), job.at)


def _evidence(row: TargetRow, job: TargetJob, state: str) -> dict[str, Any]:
    evidence: dict[str, Any] = {"import": job.import_name, "line": row.line}
    if state == GIVEN and job.proof is not None:
        evidence |= {
            "proof": job.proof.source,
            "obtained_on": job.proof.obtained_on,
            "words": job.proof.wording,
        }
    return evidence
