"""What the pages of the wizard show, gathered for the templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from cdp.common.masking import Reader
from cdp.common.registry import PeopleAction, people_actions
from cdp.common.retention import period_of
from profiles.identity.phones import home_region
from profiles.importing import services as service
from profiles.importing.dialect import DELIMITERS
from profiles.importing.headers import trait_key
from profiles.importing.reasons import ROW_REASONS, error_text, explain
from profiles.importing.targets import all_targets, undoers
from profiles.models import CatalogueEntry, Import, ImportRow
from profiles.models.imports import ImportState, Outcome
from profiles.views.import_forms import RULE_CHOICES, TRAIT, TYPE_CHOICES, countries, question, type_choice

#: typed to undo: the same in every language, so that help and page agree
UNDO_WORD = "UNDO"
#: states with people, now or soon, with whom something may be done
_WITH_PEOPLE = frozenset({ImportState.READY, ImportState.RUNNING, ImportState.PAUSED, ImportState.DONE})
_TONES = {"created": "good", "updated": "accent", "skipped": "warn", "rejected": "bad"}
_WARNINGS = {
    "empty": _("A column without a name was called “%(name)s”."),
    "duplicate": _("Two columns have the same name; the second was called “%(name)s”."),
    "undecodable": _("The header holds characters that this encoding does not know. Try another one."),
}


def map_context(job: Import, posted: Mapping[str, Any] | None, proof: Mapping[str, str]) -> dict[str, Any]:
    """Return what steps 1 and 2 show; `posted` are choices that were refused and must not be lost."""
    preview = service.look_at(job)
    kinds, targets = service.usable_kinds(), all_targets()
    mapping = posted or job.mapping
    chosen = {column["index"]: column for column in mapping.get("columns", ())}
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for registered in targets.values():
        entry = (registered.name, str(registered.label), str(registered.help))
        groups.setdefault(str(registered.group), []).append(entry)
    columns = []
    for index, name in enumerate(preview.names):
        column = chosen.get(index, {})
        target = str(column.get("target") or "")
        is_trait = target.startswith("trait:")
        columns.append(
            {
                "index": index,
                "name": name,
                "samples": preview.samples(index),
                "target": TRAIT if is_trait else target,
                "trait": target.removeprefix("trait:") if is_trait else trait_key(name),
                "type": type_choice(column),
                "question": question(column, [row[index].strip() for row in preview.rows]),
                "rule": column.get("rule") or "overwrite",
            }
        )
    before = Import.objects.filter(file_digest=job.file_digest, state=ImportState.DONE).exclude(pk=job.pk).first()
    return {
        "job": job,
        "job_error": error_text(job),
        "step": 2,
        "preview": preview,
        "preview_rows": preview.rows[:5],
        "warnings": [_(_WARNINGS[w.partition(":")[0]]) % {"name": w.partition(":")[2]} for w in preview.warnings],
        "columns": columns,
        "kinds": kinds.items(),
        "target_groups": groups.items(),
        "asks_proof": any(target.accepts_proof for target in targets.values()),
        "proof": proof,
        "match": mapping.get("match", ""),
        "types": [(value, choice[0]) for value, choice in TYPE_CHOICES.items() if not value.startswith("ask_")],
        "country": mapping.get("country") or home_region(),
        "countries": countries(),
        "rules": RULE_CHOICES,
        "encodings": service.encoding_choices(job),
        "delimiters": DELIMITERS.items(),
        "traits": [name for name, _people in CatalogueEntry.objects.top_traits()],
        "seen_before": before,
    }


def rows_url(job: Import, **chosen: str) -> str:
    """Return the address of the rows behind a number."""
    return f"{reverse('profiles:import_rows', args=[job.pk])}?{urlencode(chosen)}"


def result_context(job: Import) -> dict[str, Any]:
    """Return what the dry run, the progress and the result show."""
    counts = job.counts or {}
    outcomes = counts.get("outcomes", {})
    planned = (job.planned or {}).get("outcomes", {})
    figures = [
        {
            "label": label,
            "value": outcomes.get(outcome, 0),
            "planned": planned.get(outcome),
            "url": rows_url(job, outcome=outcome) if outcomes.get(outcome) else "",
        }
        for outcome, label in Outcome.choices
    ]
    reasons = [
        {
            "outcome": Outcome(outcome).label,
            "tone": _TONES.get(outcome, ""),
            "reason": ROW_REASONS.label(code),
            "hint": ROW_REASONS.hint(code),
            "count": count,
            "url": rows_url(job, outcome=outcome, reason=code),
        }
        for outcome, by_code in counts.get("reasons", {}).items()
        for code, count in sorted(by_code.items(), key=lambda item: -item[1])
    ]
    fields = [
        {"name": name, "count": count, "url": rows_url(job, outcome="updated", changed=name)}
        for name, count in counts.get("fields", {}).items()
    ]
    writes = int(outcomes.get("created", 0)) + int(outcomes.get("updated", 0))
    return {
        "keep_days": period_of("import_texts"),
        "job": job,
        "job_error": error_text(job),
        "step": {ImportState.READY: 3, ImportState.CHECKING: 3}.get(ImportState(job.state), _late_step(job)),
        "figures": figures,
        "reasons": reasons,
        "fields": fields,
        "left_out": _left_out(job),
        "doubts": counts.get("doubts", []),
        "targets": _target_lines(counts.get("targets", {})),
        "undone": counts.get("undone", {}),
        "undone_facts": _undone_facts(counts.get("undone", {})),
        "opt_outs": counts.get("opt_outs", {}),
        "writes": writes,
        "proof": job.proof,
        "progress": _progress(job),
        "can_undo": job.done_line > 0
        and job.rows_removed_at is None
        and job.state in (ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED),
        "can_resume": job.state == ImportState.PAUSED or (job.state == ImportState.FAILED and bool(job.planned)),
        "undo_word": UNDO_WORD,
        "rejected": outcomes.get("rejected", 0),
    }


def actions_for(job: Import, user: Any) -> list[PeopleAction]:
    """Return what this reader may do with the people of an import, now or as soon as it is committed."""
    if job.state not in _WITH_PEOPLE:
        return []
    return [action for action in people_actions if user.has_perms(list(action.permissions))]


def _left_out(job: Import) -> list[dict[str, Any]]:
    """Return the cells that rows came in without, by column and reason."""
    return [
        {
            "column": column,
            "reason": ROW_REASONS.label(code),
            "hint": ROW_REASONS.hint(code),
            "count": count,
            "url": rows_url(job, left_out=f"{code}:{column}"),
        }
        for column, code, count in (job.counts or {}).get("left_out", ())
    ]


def _late_step(job: Import) -> int:
    return 4 if job.state in (ImportState.RUNNING, ImportState.PAUSED) else 5


def _target_lines(totals: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    targets = all_targets()
    lines = []
    for name, words in totals.items():
        target = targets.get(name)
        labels = target.count_labels if target else {}
        lines.append(
            {
                "label": target.label if target else name,
                "counts": [(labels.get(word, word), count) for word, count in words.items()],
            }
        )
    return lines


def _undone_facts(undone: Mapping[str, Any]) -> list[tuple[Any, int]]:
    """Return what registered targets took back: label and count."""
    labels = {word: label for undoer in undoers for word, label in undoer.count_labels.items()}
    return [(labels.get(word, word), count) for word, count in undone.get("facts", {}).items()]


def _progress(job: Import) -> dict[str, Any]:
    """Return done, total, rows a second and seconds left of the step under way."""
    counts = job.counts or {}
    if job.state == ImportState.CHECKING:
        done, total = float(counts.get("share", 0)), 1.0
    else:
        done, total = float(job.rows_done), float(counts.get("to_do") or 0)
    began = job.started_at or job.created_at
    elapsed = max((timezone.now() - began).total_seconds(), 0.001)
    rate = job.rows_done / elapsed
    left = elapsed * (total - done) / done if done and total else None
    return {"done": done, "total": total, "rate": round(rate), "left": left, "rows": job.rows_done}


def rows_title(chosen: Mapping[str, str]) -> str:
    """Return the heading of a list of rows."""
    if chosen["reason"]:
        return ROW_REASONS.label(chosen["reason"])
    if chosen["left_out"]:
        code, _colon, column = chosen["left_out"].partition(":")
        return f"{column}: {ROW_REASONS.label(code)}" if column else ROW_REASONS.label(code)
    if chosen["changed"]:
        return _("Rows that change “%(name)s”") % {"name": chosen["changed"]}
    if chosen["outcome"]:
        return _("Rows: %(outcome)s") % {"outcome": Outcome(chosen["outcome"]).label}
    return _("All rows")


def shown_row(row: ImportRow, reader: Reader) -> dict[str, Any]:
    """Return a row for the table: who, what changes, or why not."""
    data = row.data or {}
    return {
        "line": row.line,
        "outcome": row.get_outcome_display(),
        "tone": _TONES.get(row.outcome, ""),
        "reason": reader.text(explain(row.reason, row.params)) if row.reason else "",
        "hint": ROW_REASONS.hint(row.reason),
        "left_out": [explain(code, {"column": column}) for column, code in data.get("w", ())],
        "profile": getattr(row, "profile", None),
        "identifiers": data.get("i", []),
        "changes": [(key, change[0], change[1]) for key, change in (row.changes or {}).items()],
        "values": [] if row.changes else [item for part in "tfn" for item in data.get(part, {}).items()],
        "cells": row.cells or [],
    }
