"""Imports: one that is broken says why and keeps no other waiting; one row that is broken keeps no other out."""

from __future__ import annotations

from typing import Any

import pytest

from cdp.common.dead_letters import retry_dead_letter
from cdp.common.models import DeadLetter, QueueItem
from cdp.common.queues import queues
from consent.services.erasing import erase_person
from profiles.importing import commit, dryrun, runner
from profiles.importing import services as service
from profiles.importing.people import write_rows
from profiles.importing.reasons import error_text
from profiles.models import Import, ImportRow, Profile
from profiles.models.imports import ImportState
from tests.profiles.importing.helpers import checked, imported, outcomes, person, upload
from tests.queues.running import run_scheduled, run_until_given_up

pytestmark = pytest.mark.django_db
TASK = "profiles.run_import"


def file_of(*names: str) -> str:
    return "email,city\n" + "".join(f"{name}@example.org,Utrecht\n" for name in names)


def state(job: Import) -> str:
    job.refresh_from_db()
    return job.state


@pytest.mark.parametrize("when", ["before_confirm", "while_waiting"])
def test_a_person_erased_after_the_dry_run_is_left_out_and_the_others_come_in(when: str) -> None:
    imported(file_of("anna"))
    anna = person("email", "anna@example.org")
    assert anna is not None
    job = checked("email,city\nanna@example.org,Gent\nbob@example.org,Gent\n")
    if when == "before_confirm":
        erase_person(profile_id=anna.pk, actor=None, reason="asked")
    service.confirm_import(import_id=job.pk, actor=None)
    if when == "while_waiting":
        erase_person(profile_id=anna.pk, actor=None, reason="asked")
    run_scheduled(TASK)
    assert state(job) == ImportState.DONE
    assert outcomes(job) == {"created": 1, "skipped": 1}
    assert job.counts["reasons"] == {"skipped": {"erased": 1}}
    assert person("email", "bob@example.org") and not person("email", "anna@example.org")


def test_an_import_that_always_fails_is_given_up_with_its_reason_and_another_goes_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken, good = upload(file_of("broken")), upload(file_of("good"))

    def fail(job: Import, *rest: Any) -> None:
        if job.pk == broken.pk:
            raise ZeroDivisionError("secret@example.org")
        dryrun.decide(job, *rest)

    monkeypatch.setattr(runner, "decide", fail)
    for job in (broken, good):
        service.start_check(import_id=job.pk, mapping=job.mapping)
    run_scheduled(TASK)
    assert state(good) == ImportState.READY
    assert state(broken) == ImportState.CHECKING
    assert "ZeroDivisionError" in error_text(broken) and "secret" not in error_text(broken)
    assert QueueItem.objects.get().attempts == 1
    run_until_given_up(TASK)
    assert state(broken) == ImportState.FAILED, "reading the file again and again is no progress"
    assert "ZeroDivisionError" in error_text(broken)
    letter = DeadLetter.objects.get()
    assert (letter.queue, letter.key, letter.attempts) == ("imports", str(broken.pk), 5)
    monkeypatch.undo()
    retry_dead_letter(letter_id=letter.pk)
    run_scheduled(TASK)
    assert state(broken) == ImportState.READY
    assert not DeadLetter.objects.exists() and not error_text(broken)


def test_one_row_that_cannot_be_written_is_rejected_alone(monkeypatch: pytest.MonkeyPatch) -> None:

    def fail(rows: Any, *rest: Any) -> Any:
        if any(["email", "p77@example.org"] in row.data["i"] for row in rows):
            raise ValueError("p77@example.org")
        return write_rows(rows, *rest)

    monkeypatch.setattr(commit, "write_rows", fail)
    job = checked(file_of(*(f"p{number}" for number in range(300))))
    service.confirm_import(import_id=job.pk, actor=None)
    run_scheduled(TASK)
    assert state(job) == ImportState.DONE
    assert outcomes(job) == {"created": 299, "rejected": 1}
    row = ImportRow.objects.get(import_id=job.pk, outcome="rejected")
    assert (row.line, row.reason) == (79, "not_storable")
    assert row.params is not None and "ValueError" in row.params["error"] and "p77" not in row.params["error"]
    assert Profile.objects.count() == 299


def test_an_import_in_which_every_row_fails_is_not_rejected_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: Any) -> None:
        raise ValueError

    monkeypatch.setattr(commit, "write_rows", fail)
    job = checked(file_of(*(f"p{number}" for number in range(150))))
    service.confirm_import(import_id=job.pk, actor=None)
    run_scheduled(TASK)
    assert state(job) == ImportState.RUNNING
    assert ImportRow.objects.filter(import_id=job.pk, outcome="rejected").count() == runner.MAX_FAILING
    assert QueueItem.objects.get().attempts == 1
    run_until_given_up(TASK)
    assert state(job) == ImportState.FAILED


def test_a_cancel_is_heeded_at_once_when_the_worker_is_dead() -> None:
    job = checked(file_of("anna"))
    service.confirm_import(import_id=job.pk, actor=None)
    QueueItem.objects.update(holder=12345)  # nobody's
    service.cancel_import(import_id=job.pk)
    assert state(job) == ImportState.CANCELLED
    assert queues.get("imports").measure() == (0, None)
    run_scheduled(TASK)
    assert not QueueItem.objects.exists()
