"""Let go of what imports keep: of one person who is erased, and of everybody when its time is over."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from profiles.identity.normalise import normalise
from profiles.models import Identifier, Import, ImportRow, Profile
from profiles.models.imports import ImportState, Outcome
from profiles.services.imports import cancel_import

#: rows that came to nobody: only their text says whom they speak of
_TO_NOBODY = (Outcome.REJECTED, Outcome.SKIPPED)
_ENDED = (ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED, ImportState.UNDONE)
_WAITING = (ImportState.UPLOADED, ImportState.READY, ImportState.FAILED)
_EMPTY: dict[str, Any] = {"cells": None, "data": None, "changes": None, "params": None}
_BLOCK = 5000

# Numbers are written in many ways (06-12 34 56 78): their last digits find the candidates.
_CANDIDATES = """
SELECT r.import_id, r.line, r.cells, r.data FROM profiles_importrow r
CROSS JOIN LATERAL (SELECT lower(coalesce(r.cells::text, '') || coalesce(r.data::text, '')) AS words) t
WHERE r.outcome = ANY(%s) AND (r.cells IS NOT NULL OR r.data IS NOT NULL)
  AND (EXISTS (SELECT 1 FROM unnest(%s::text[]) v WHERE strpos(t.words, v) > 0)
       OR EXISTS (SELECT 1 FROM unnest(%s::text[]) d WHERE strpos(regexp_replace(t.words, '[^0-9]', '', 'g'), d) > 0))
"""


def clear_person(profile_id: int) -> int:
    """Empty every row that speaks of a person, by number or by words, and return how many; the counts stay true."""
    profile_ids = [profile_id, *Profile.objects.filter(merged_into_id=profile_id).values_list("pk", flat=True)]
    rows = ImportRow.objects.filter(profile_id__in=profile_ids).exclude(data=None, changes=None, cells=None)
    cleared = rows.update(**_EMPTY)
    pairs = set(Identifier.objects.filter(profile_id__in=profile_ids).values_list("kind", "value"))
    for import_id, lines in _rows_with(pairs):
        cleared += ImportRow.objects.filter(import_id=import_id, line__in=lines).update(**_EMPTY)
    return cleared


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
    folded = text.casefold()
    for kind, value in pairs:
        if re.search(rf"(?<![\w.+@-]){re.escape(value.casefold())}(?![\w@-])", folded):
            return True
        parts = [part for part in (text, *re.split(r"[;,|\t]", text)) if len(part) < 400]
        if any(normalise(kind, part) == value for part in parts):
            return True
        # a number without its country (06-12345678) is the same number
        if kind == "phone" and any(re.sub(r"\D", "", part).endswith(value[-8:]) for part in parts):
            return True
    return False


def clear_old_rows(now: datetime | None = None) -> int:
    """Empty the rows that came to nobody, IMPORT_ROWS_KEEP_DAYS after their import ended; return how many.

    An import that nobody went on with for as long is cancelled, and its file deleted.
    """
    before = (now or timezone.now()) - timedelta(days=settings.IMPORT_ROWS_KEEP_DAYS)
    for job in Import.objects.filter(state__in=_WAITING, done_line=0).exclude(file=""):
        if max(filter(None, (job.created_at, job.checked_at, job.finished_at))) < before:
            cancel_import(import_id=job.pk)
    cleared = 0
    for import_id in Import.objects.filter(state__in=_ENDED, finished_at__lt=before).values_list("pk", flat=True):
        rows = ImportRow.objects.filter(import_id=import_id, outcome__in=_TO_NOBODY)
        kept = rows.filter(Q(cells__isnull=False) | Q(data__isnull=False))
        while lines := list(kept.values_list("line", flat=True)[:_BLOCK]):
            with transaction.atomic():
                cleared += rows.filter(line__in=lines).update(**_EMPTY)
    return cleared
