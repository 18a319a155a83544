"""What imports keep of people: skipped when restricted, cleared on erasure, and gone after its time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from cdp.common.errors import CdpError
from cdp.common.retention import Position, Step
from consent.services.erasing import erase_person
from profiles.importing import clearing
from profiles.importing.clearing import speaks_of
from profiles.importing.services import start_undo
from profiles.models import Import, ImportRow
from profiles.models.imports import ImportState
from profiles.services.profiles import restrict_person
from tests.profiles.importing.helpers import checked, confirm, imported, outcomes, person, snapshot, upload

pytestmark = pytest.mark.django_db

FILES = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
ROWS = "email,phone,age\nanna@example.org,+31612345678,40\nbob@example.org,,50\n"
#: rows about Anna and Bob that come to nobody
BAD = (
    "email,phone,age\n"
    "Anna@Example.org,forty\n"  # by address
    ",06-12 34 56 78,40\n"  # by number, written in another way
    "bob@example.org,fifty\n"
    'joanna@example.org,,"x\n'
)
TYPED = {
    "match": "email",
    "columns": [
        {"index": 0, "target": "id:email"},
        {"index": 1, "target": "id:phone"},
        {"index": 2, "target": "trait:age", "type": "number"},
    ],
}


def test_a_restricted_person_is_skipped_and_stays_as_they_were() -> None:
    imported(ROWS, TYPED)
    bob = person("email", "bob@example.org")
    assert bob is not None
    restrict_person(profile_id=bob.pk, restricted=True)
    before = snapshot()
    job = imported("email,phone,age\nbob@example.org,,51\n", TYPED)
    assert outcomes(job) == {"skipped": 1}
    assert job.counts["reasons"] == {"skipped": {"restricted": 1}}
    assert snapshot() == before


def test_a_person_restricted_after_the_dry_run_is_skipped_too() -> None:
    imported(ROWS, TYPED)
    job = checked("email,phone,age\nbob@example.org,,51\n", TYPED)
    bob = person("email", "bob@example.org")
    assert bob is not None
    restrict_person(profile_id=bob.pk, restricted=True)
    assert outcomes(confirm(job)) == {"skipped": 1}
    bob.refresh_from_db()
    assert bob.traits["age"] == 50


def test_erasing_a_person_clears_rejected_rows_that_name_them_and_no_others() -> None:
    imported(ROWS, TYPED)
    job = checked(BAD, TYPED)
    assert outcomes(job) == {"rejected": 4}
    anna = person("email", "anna@example.org")
    assert anna is not None
    receipt = erase_person(profile_id=anna.pk, actor=None, reason="asked")
    kept = ImportRow.objects.filter(import_id=job.pk).order_by("line")
    assert [row.cells is None for row in kept] == [True, True, False, False]
    assert not ImportRow.objects.filter(profile_id=anna.pk).exclude(data=None, cells=None, changes=None).exists()
    assert receipt.counts["profiles_importrow"] == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("anna@example.org", True),
        ("x;ANNA@example.org;y", True),
        ("joanna@example.org", False),
        ("anna@example.org.uk", True),  # rather a row too many than one too few
        ("anna@example.orgy", False),
        ("+31 6 12 34 56 78", True),
        ("+31 6 12 34 56 79", False),
        ("", False),
    ],
)
def test_a_text_speaks_of_an_identifier_as_a_whole(text: str, found: bool) -> None:
    pairs = [("email", "anna@example.org"), ("phone", "+31612345678")]
    assert speaks_of(text, pairs) is found


def clear_texts(days: int = 30) -> int:
    """Empty what is older, in batches of two, as the nightly run does; return how many rows that were."""
    position: Position = {}
    before, cleared = timezone.now() - timedelta(days=days), 0
    while True:
        step = clearing.clear_texts(before, 2, position)
        cleared += step.removed
        if step.position is None:
            return cleared
        position = step.position


def test_rows_of_nobody_are_emptied_after_their_time_and_counts_stay() -> None:
    job = confirm(checked(BAD + "carl@example.org,,60\n", TYPED))
    assert clear_texts() == 0
    Import.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=31))
    assert clearing.survey_texts(timezone.now() - timedelta(days=30)).waiting == 4
    assert clear_texts() == 4
    rows = ImportRow.objects.filter(import_id=job.pk)
    assert not rows.filter(outcome="rejected", cells__isnull=False).exists()
    assert rows.filter(outcome="rejected", reason="ragged").count() == 2
    assert rows.get(outcome="created").data is not None  # for the undo
    assert clear_texts() == 0


def test_rows_of_an_old_import_go_and_with_them_its_undo() -> None:
    job = confirm(checked(ROWS, TYPED))
    before = timezone.now() - timedelta(days=400)
    assert clearing.remove_rows(before, 10, {}) == Step(0)
    Import.objects.filter(pk=job.pk).update(finished_at=before - timedelta(days=1))
    assert clearing.survey_rows(before).waiting == 2
    assert clearing.remove_rows(before, 1, {}) == Step(1, {})
    assert clearing.remove_rows(before, 1, {}) == Step(1, {})
    assert clearing.remove_rows(before, 1, {}) == Step(0, {})
    assert clearing.remove_rows(before, 1, {}) == Step(0)
    with pytest.raises(CdpError, match="no longer be undone"):
        start_undo(import_id=job.pk, actor=None)


def test_files_that_no_import_knows_are_deleted_after_some_days(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": {**FILES, "OPTIONS": {"location": tmp_path}}}
    job = upload(ROWS)
    lost = job.file.storage.save("imports/lost.csv", ContentFile(b"email"))
    assert clearing.survey_files(timezone.now() + timedelta(days=1)).waiting == 1
    assert clearing.remove_files(timezone.now() - timedelta(days=1), 10, {}) == Step(0)
    assert clearing.remove_files(timezone.now() + timedelta(days=1), 10, {}) == Step(1)
    assert not job.file.storage.exists(lost) and job.file.storage.exists(job.file.name or "")


def test_a_file_that_nobody_goes_on_with_is_deleted() -> None:
    left, fresh = upload(ROWS), upload(ROWS)
    name, storage = left.file.name or "", left.file.storage
    Import.objects.filter(pk=left.pk).update(created_at=timezone.now() - timedelta(days=400))
    clear_texts()
    left.refresh_from_db()
    fresh.refresh_from_db()
    assert (left.state, bool(left.file)) == (ImportState.CANCELLED, False)
    assert fresh.state == ImportState.UPLOADED and storage.exists(fresh.file.name or "")
    assert name != fresh.file.name
