"""From file to people and back: the dry run, the commit, what a second import does, and the undo."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

from cdp.common.errors import CdpError
from profiles.importing import commit, runner
from profiles.importing import services as service
from profiles.importing.people import write_rows
from profiles.models import IdentityLink, Import, ImportRow, Profile, TraitChange
from profiles.models.imports import ImportState
from profiles.tombstones import Tombstones, tombstones
from tests.profiles.importing.helpers import checked, confirm, imported, outcomes, person, snapshot, undone, upload

pytestmark = pytest.mark.django_db

ANNA = "E-mailadres;Voornaam;Achternaam;Plaats;Klantnummer\nAnna@Example.org;Anna;de Vries;Utrecht;K1\n"


def test_the_dry_run_writes_nothing_to_people() -> None:
    job = checked(ANNA)
    assert job.state == ImportState.READY
    assert outcomes(job) == {"created": 1}
    assert Profile.objects.count() == 0


def test_a_confirmed_import_makes_people_whose_traits_name_it() -> None:
    job = imported(ANNA)
    assert job.state == ImportState.DONE
    assert outcomes(job) == {"created": 1}
    anna = person("email", "anna@example.org")
    assert anna is not None
    assert anna == person("user_id", "K1")
    assert anna.traits["first_name"] == "Anna"
    assert anna.traits["city"] == "Utrecht"
    assert anna.display_name == "Anna de Vries"
    assert anna.email == "anna@example.org"
    assert anna.origins["city"]["c"] == f"import:{job.pk}"
    assert IdentityLink.objects.count() == 1


def test_the_same_file_again_changes_nothing() -> None:
    imported(ANNA)
    before = snapshot()
    again = imported(ANNA)
    assert outcomes(again) == {"unchanged": 1}
    assert snapshot() == before
    assert TraitChange.objects.count() == 0


def test_a_changed_value_is_shown_before_and_kept_as_history_after() -> None:
    imported(ANNA)
    job = checked(ANNA.replace("Utrecht", "Gent"))
    row = ImportRow.objects.get(import_id=job.pk)
    assert (row.outcome, row.changes) == ("updated", {"city": ["Utrecht", "Gent"]})
    assert job.counts["fields"] == {"city": 1}
    confirm(job)
    anna = person("email", "anna@example.org")
    assert anna is not None and anna.traits["city"] == "Gent"
    change = TraitChange.objects.get()
    assert (change.key, change.old, change.new, change.cause) == ("city", "Utrecht", "Gent", f"import:{job.pk}")


@pytest.mark.parametrize(("rule", "city"), [("overwrite", "Gent"), ("fill", "Utrecht"), ("create", "Utrecht")])
def test_the_overwrite_rule_decides_what_a_known_person_keeps(rule: str, city: str) -> None:
    imported("email,city\nanna@example.org,Utrecht\n")
    job = upload("email,city,street\nanna@example.org,Gent,Kerkstraat\n")
    for column in job.mapping["columns"]:
        column["rule"] = rule
    service.start_check(import_id=job.pk, mapping=job.mapping)
    runner.run_imports()
    confirm(job)
    anna = person("email", "anna@example.org")
    assert anna is not None and anna.traits["city"] == city
    assert ("street" in anna.traits) is (rule != "create")


def test_forty_nine_good_rows_come_in_beside_a_broken_one() -> None:
    lines = [f"p{n}@example.org,Name {n}" for n in range(50)]
    lines[24] = 'p24@example.org,"Name 24'
    job = imported("email,name\n" + "\n".join(lines) + "\n")
    assert outcomes(job) == {"created": 49, "rejected": 1}
    broken = ImportRow.objects.get(import_id=job.pk, outcome="rejected")
    assert (broken.line, broken.reason, broken.cells) == (26, "unbalanced_quote", ['p24@example.org,"Name 24'])
    assert person("email", "p23@example.org") and person("email", "p25@example.org")


def test_every_row_is_accounted_for_with_its_reason() -> None:
    job = checked(
        "email,phone,age,born\n"
        "ok@example.org,+31612345678,12,2001-05-31\n"
        "not an address,,,\n"
        "x@example.org,12,,\n"
        "y@example.org,,twelve,\n"
        "z@example.org,,,31-31-2001\n"
        "OK@example.org,,,\n"
        ",+31687654321,,\n"
        "q@example.org,+31612345678,,\n"
        ",,,\n"
        "w@example.org,1\n",
        {
            "match": "email",
            "columns": [
                {"index": 0, "target": "id:email"},
                {"index": 1, "target": "id:phone"},
                {"index": 2, "target": "trait:age", "type": "number"},
                {"index": 3, "target": "trait:born", "type": "date"},
            ],
        },
    )
    rows = (
        ImportRow.objects.filter(import_id=job.pk).order_by("line").values_list("line", "outcome", "reason", "params")
    )
    assert list(rows) == [
        (2, "created", "", None),
        (3, "rejected", "not_an_email", {"column": "email"}),
        (4, "created", "", None),
        (5, "created", "", None),
        (6, "created", "", None),
        (7, "skipped", "duplicate", {"line": 2}),
        (8, "rejected", "no_key", {"column": "email"}),
        (9, "rejected", "duplicate_identifier", {"line": 2}),
        (10, "skipped", "empty", None),
        (11, "rejected", "ragged", {"expected": 4, "found": 2}),
    ]
    assert sum(job.counts["outcomes"].values()) == job.rows_total == 10
    assert job.counts["left_out"] == [
        ["age", "not_a_number", 1],
        ["born", "not_a_date", 1],
        ["phone", "not_a_phone", 1],
    ]


def test_an_identifier_of_another_person_is_refused_and_joins_nobody() -> None:
    imported("email,klantnummer\na@example.org,K1\nb@example.org,K2\n")
    mapping = {
        "match": "email",
        "columns": [{"header": "email", "target": "id:email"}, {"header": "klantnummer", "target": "id:user_id"}],
    }
    job = checked("email,klantnummer\na@example.org,K2\nb@example.org,K9\n", mapping)
    assert job.counts["reasons"] == {"rejected": {"belongs_to_another": 1, "too_many_identifiers": 1}}


def test_an_erased_person_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {("email", "anna@example.org")}
    monkeypatch.setitem(tombstones._items, "test", Tombstones(find=lambda keys: gone & set(keys), count=lambda: 1))
    job = imported(ANNA)
    assert outcomes(job) == {"skipped": 1}
    assert job.counts["reasons"] == {"skipped": {"erased": 1}}
    assert ImportRow.objects.get(import_id=job.pk).data is None
    assert Profile.objects.count() == 0


def test_a_person_erased_between_dry_run_and_commit_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    job = checked(ANNA)
    gone = {("email", "anna@example.org")}
    monkeypatch.setitem(tombstones._items, "test", Tombstones(find=lambda keys: gone & set(keys), count=lambda: 1))
    assert outcomes(confirm(job)) == {"skipped": 1}
    assert Profile.objects.count() == 0


def test_undo_restores_exactly_what_was_there() -> None:
    imported("email,city,voornaam\nanna@example.org,Utrecht,Anna\nbob@example.org,Gent,Bob\n")
    before = snapshot()
    job = imported(
        "email,city,voornaam,klantnummer,straat\n"
        "anna@example.org,Breda,Annie,K1,Kerkstraat\nbob@example.org,Gent,Bob,,\nnew@example.org,Ede,New,K3,\n"
    )
    assert outcomes(job) == {"created": 1, "updated": 1, "unchanged": 1}
    assert snapshot() != before
    job = undone(job)
    assert job.state == ImportState.UNDONE
    assert job.counts["undone"] == {"removed": 1, "restored": 1, "kept": 0, "facts": {}}
    assert snapshot() == before


def test_undo_keeps_what_was_changed_since() -> None:
    imported("email,city,voornaam\nanna@example.org,Utrecht,Anna\n")
    second = imported("email,city,voornaam\nanna@example.org,Breda,Annie\nnew@example.org,Ede,New\n")
    imported("email,city\nanna@example.org,Zwolle\nnew@example.org,Assen\n")
    second = undone(second)
    anna, new = person("email", "anna@example.org"), person("email", "new@example.org")
    assert anna is not None and anna.traits["city"] == "Zwolle" and anna.traits["first_name"] == "Anna"
    assert new is not None and second.counts["undone"]["kept"] == 1


def test_a_worker_that_dies_leaves_whole_blocks_and_another_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "next_rows", lambda job, after, limit=0: _real_next_rows(job, after, 10))
    job = checked("email\n" + "".join(f"p{n}@example.org\n" for n in range(35)))
    service.confirm_import(import_id=job.pk, actor=None)
    wrote = []

    def die_in_the_third(*given: Any) -> Any:
        wrote.append(given)
        if len(wrote) == 3:
            raise OperationalError("the connection is gone")
        return write_rows(*given)

    monkeypatch.setattr(commit, "write_rows", die_in_the_third)
    with pytest.raises(OperationalError):
        runner.run_imports()
    job.refresh_from_db()
    assert (job.state, job.rows_done, job.done_line) == (ImportState.RUNNING, 20, 21)
    assert Profile.objects.count() == 20
    runner.run_imports()
    job.refresh_from_db()
    assert (job.state, outcomes(job)) == (ImportState.DONE, {"created": 35})
    assert Profile.objects.count() == 35


_real_next_rows = commit.next_rows


def test_pause_go_on_and_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "next_rows", lambda job, after, limit: _real_next_rows(job, after, min(limit, 10)))
    job = checked("email\n" + "".join(f"p{n}@example.org\n" for n in range(35)))
    service.confirm_import(import_id=job.pk, actor=None)
    service.pause_import(import_id=job.pk)
    runner.run_imports()
    job.refresh_from_db()
    assert (job.state, job.rows_done) == (ImportState.PAUSED, 10)
    service.resume_import(import_id=job.pk)
    Import.objects.filter(pk=job.pk).update(stop_wanted=ImportState.CANCELLED)
    runner.run_imports()
    job.refresh_from_db()
    assert (job.state, outcomes(job), Profile.objects.count()) == (ImportState.CANCELLED, {"created": 20}, 20)
    job = undone(job)
    assert (job.state, Profile.objects.count()) == (ImportState.UNDONE, 0)


def test_an_import_cannot_be_committed_before_its_dry_run() -> None:
    job = upload(ANNA)
    with pytest.raises(CdpError) as refused:
        service.confirm_import(import_id=job.pk, actor=None)
    assert (refused.value.code, refused.value.status) == ("import.wrong_state", 409)


def test_the_mapping_of_a_file_with_the_same_columns_is_remembered() -> None:
    job = upload(ANNA)
    job.mapping["columns"][3]["target"] = "trait:home_town"
    service.start_check(import_id=job.pk, mapping=job.mapping)
    runner.run_imports()
    assert upload(ANNA).mapping["columns"][3]["target"] == "trait:home_town"


def test_the_file_is_gone_when_the_import_is_over(django_capture_on_commit_callbacks: object) -> None:
    job = checked(ANNA)
    storage, name = job.file.storage, job.file.name
    service.confirm_import(import_id=job.pk, actor=None)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]  # pytest-django gives no type
        runner.run_imports()
    job.refresh_from_db()
    assert name and not job.file and not storage.exists(name)
