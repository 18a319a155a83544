"""What imports keep of people: skipped when restricted, cleared on erasure, and gone after its time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from consent.services.erasing import erase_person
from profiles.importing.clearing import clear_old_rows, speaks_of
from profiles.models import Import, ImportRow
from profiles.models.imports import ImportState
from profiles.services.profiles import restrict_person
from tests.profiles.importing.helpers import checked, confirm, imported, outcomes, person, snapshot, upload

pytestmark = pytest.mark.django_db

ROWS = "email,phone,age\nanna@example.org,+31612345678,40\nbob@example.org,,50\n"
#: rows about Anna and Bob that come to nobody
BAD = (
    "email,phone,age\n"
    "Anna@Example.org,,forty\n"  # by address
    ",06-12 34 56 78,40\n"  # by number, written in another way
    "bob@example.org,,fifty\n"
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


def test_rows_of_nobody_are_emptied_after_their_time_and_counts_stay(settings: pytest.FixtureRequest) -> None:
    settings.IMPORT_ROWS_KEEP_DAYS = 7  # type: ignore[attr-defined]
    job = confirm(checked(BAD + "carl@example.org,,60\n", TYPED))
    assert clear_old_rows() == 0
    Import.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=8))
    assert clear_old_rows() == 4
    rows = ImportRow.objects.filter(import_id=job.pk)
    assert not rows.filter(outcome="rejected", cells__isnull=False).exists()
    assert rows.filter(outcome="rejected", reason="not_a_number").count() == 2
    assert rows.get(outcome="created").data is not None  # for the undo
    assert clear_old_rows() == 0


def test_a_file_that_nobody_goes_on_with_is_deleted() -> None:
    left, fresh = upload(ROWS), upload(ROWS)
    name, storage = left.file.name or "", left.file.storage
    Import.objects.filter(pk=left.pk).update(created_at=timezone.now() - timedelta(days=400))
    clear_old_rows()
    left.refresh_from_db()
    fresh.refresh_from_db()
    assert (left.state, bool(left.file)) == (ImportState.CANCELLED, False)
    assert fresh.state == ImportState.UPLOADED and storage.exists(fresh.file.name or "")
    assert name != fresh.file.name
