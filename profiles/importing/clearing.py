"""Let go of what imports keep: of one person who is erased, and of everybody when its time is over."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.utils import timezone

from cdp.common.counting import capped_count
from cdp.common.retention import Position, Step, Survey
from profiles.identity.normalise import normalise
from profiles.identity.traits import ADDRESS_TRAITS
from profiles.identity.whole_words import whole_word
from profiles.importing.services import cancel_import
from profiles.models import Identifier, Import, ImportRow, Profile
from profiles.models.imports import ImportState, Outcome

#: rows that came to nobody: only their text says whom they speak of
_TO_NOBODY = (Outcome.REJECTED, Outcome.SKIPPED)
_ENDED = (ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED, ImportState.UNDONE)
_WAITING = (ImportState.UPLOADED, ImportState.READY, ImportState.FAILED)
_EMPTY: dict[str, Any] = {"cells": None, "data": None, "changes": None, "before": None, "params": None}
_WITH_TEXT = Q(cells__isnull=False) | Q(data__isnull=False)

# Numbers are written in many ways (06-12 34 56 78): their last digits find the candidates.
_CANDIDATES = """
SELECT r.import_id, r.line, r.cells, r.data FROM profiles_importrow r
CROSS JOIN LATERAL (SELECT lower(coalesce(r.cells::text, '') || coalesce(r.data::text, '')) AS words) t
WHERE r.outcome = ANY(%s) AND (r.cells IS NOT NULL OR r.data IS NOT NULL)
  AND (EXISTS (SELECT 1 FROM unnest(%s::text[]) v WHERE strpos(t.words, v) > 0)
       OR EXISTS (SELECT 1 FROM unnest(%s::text[]) d WHERE strpos(regexp_replace(t.words, '[^0-9]', '', 'g'), d) > 0))
"""


def clear_person(profile_id: int) -> int:
    """Empty every row that came to a person, and return how many; the counts stay true."""
    rows = ImportRow.objects.filter(profile_id__in=_profiles(profile_id))
    return rows.exclude(data=None, changes=None, cells=None).update(**_EMPTY)


@transaction.atomic
def clear_rows_naming(profile_id: int) -> int:
    """Empty every row that came to nobody and holds an identifier of a person; return how many. Reads all of them."""
    held = Identifier.objects.filter(profile_id__in=_profiles(profile_id))
    # What a public key claimed may be a stranger's, and so may the row.
    pairs = {(row.kind, row.value) for row in held if row.trusted or row.kind not in ADDRESS_TRAITS}
    return sum(
        ImportRow.objects.filter(import_id=import_id, line__in=lines).update(**_EMPTY)
        for import_id, lines in _rows_with(pairs)
    )


def _profiles(profile_id: int) -> list[int]:
    return [profile_id, *Profile.objects.filter(merged_into_id=profile_id).values_list("pk", flat=True)]


def _rows_with(pairs: Collection[tuple[str, str]]) -> Iterator[tuple[int, list[int]]]:
    """Yield (import, lines) of the rows of nobody that hold one of the identifiers."""
    if not pairs:
        return
    digits = [re.sub(r"\D", "", value)[-8:] for kind, value in pairs if kind == "phone"]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_CANDIDATES, [list(_TO_NOBODY), [value.lower() for _kind, value in pairs], digits])
        candidates = cursor.fetchall()
    found: dict[int, list[int]] = {}
    for import_id, line, *parts in candidates:
        # a raw cursor of Django's gives jsonb as text
        values = [json.loads(part) if isinstance(part, str) else part for part in parts]
        if any(speaks_of(text, pairs) for text in _texts(values)):
            found.setdefault(import_id, []).append(line)
    yield from found.items()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)


def speaks_of(text: str, pairs: Collection[tuple[str, str]]) -> bool:
    """Tell whether a text holds one of the identifiers as a whole word, or is one in another form of writing."""
    for kind, value in pairs:
        if whole_word(value).search(text):
            return True
        parts = [part for part in (text, *re.split(r"[;,|\t]", text)) if len(part) < 400]
        if any(normalise(kind, part) == value for part in parts):
            return True
        # a number without its country (06-12345678) is the same number
        if kind == "phone" and any(re.sub(r"\D", "", part).endswith(value[-8:]) for part in parts):
            return True
    return False


def clear_texts(before: datetime, limit: int, position: Position) -> Step:
    """Empty the rows that came to nobody, of imports that ended before; the counts stay.

    An import that nobody went on with since is cancelled, and its file deleted.
    """
    for job in Import.objects.filter(state__in=_WAITING, done_line=0, created_at__lt=before).exclude(file="")[:limit]:
        if max(filter(None, (job.created_at, job.checked_at, job.finished_at))) < before:
            cancel_import(import_id=job.pk)
    for import_id in _ended(before).filter(pk__gt=position.get("import", 0)).values_list("pk", flat=True):
        rows = ImportRow.objects.filter(import_id=import_id, outcome__in=_TO_NOBODY)
        lines = list(rows.filter(_WITH_TEXT).order_by("line").values_list("line", flat=True)[:limit])
        if lines:
            return Step(rows.filter(line__in=lines).update(**_EMPTY), {"import": import_id - 1})
    return Step(0)


def survey_texts(before: datetime) -> Survey:
    """Count the texts past their time."""
    rows = ImportRow.objects.filter(outcome__in=_TO_NOBODY).filter(_WITH_TEXT)
    waiting = capped_count(rows.filter(import_id__in=_ended(before).values("pk")))
    holding = Import.objects.filter(Exists(rows.filter(import_id=OuterRef("pk"))), finished_at__isnull=False)
    return Survey(waiting, holding.aggregate(oldest=Min("finished_at"))["oldest"])


def remove_rows(before: datetime, limit: int, _position: Position) -> Step:
    """Delete the rows of imports that ended before; from then on such an import cannot be undone."""
    job = _ended(before).filter(rows_removed_at=None).order_by("finished_at").first()
    if job is None:
        return Step(0)
    lines = ImportRow.objects.filter(import_id=job.pk).order_by("line").values_list("line", flat=True)[:limit]
    removed, _by_table = ImportRow.objects.filter(import_id=job.pk, line__in=list(lines)).delete()
    if removed < limit:
        Import.objects.filter(pk=job.pk).update(rows_removed_at=timezone.now())
    return Step(removed, {})


def survey_rows(before: datetime) -> Survey:
    """Count the rows past their time."""
    jobs = Import.objects.filter(state__in=_ENDED, rows_removed_at=None)
    waiting = capped_count(ImportRow.objects.filter(import_id__in=jobs.filter(finished_at__lt=before).values("pk")))
    return Survey(waiting, jobs.aggregate(oldest=Min("finished_at"))["oldest"])


def _ended(before: datetime) -> QuerySet[Import]:
    return Import.objects.filter(state__in=_ENDED, finished_at__lt=before).order_by("pk")


def remove_files(before: datetime, limit: int, _position: Position) -> Step:
    """Delete stored files that no import knows: an upload whose request was cut off leaves one."""
    names = [name for name, stored_at in _orphans() if stored_at < before][:limit]
    for name in names:
        default_storage.delete(name)
    return Step(len(names))


def survey_files(before: datetime) -> Survey:
    """Count the files that no import knows."""
    found = [stored_at for _name, stored_at in _orphans()]
    return Survey(sum(stored_at < before for stored_at in found), min(found, default=None))


def _orphans() -> list[tuple[str, datetime]]:
    try:
        _folders, names = default_storage.listdir("imports")
    except FileNotFoundError:
        return []
    known = set(Import.objects.exclude(file="").values_list("file", flat=True))
    stored = [name for name in (f"imports/{name}" for name in names) if name not in known]
    return [(name, default_storage.get_modified_time(name)) for name in stored]
