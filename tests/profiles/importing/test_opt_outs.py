"""C16: a no in a file holds, whatever else is wrong with its row. U7, C10: an undo is its own kind, of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cdp.common import faults
from cdp.common.models import QueueItem
from consent.models import ConsentRecord, ConsentState
from consent.services import erase_person, update_purpose, verify_ledger
from profiles.importing import refused, undoing
from profiles.importing import services as service
from profiles.importing.runner import run_imports
from profiles.models import Identifier, Import, Profile
from tests.consent import factories
from tests.consent.factories import purpose, say, state_of
from tests.profiles.importing.helpers import checked, confirm, imported, outcomes, person, undone
from tests.profiles.importing.test_permission import PROOF

pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]
MAPPING: dict[str, Any] = {
    "match": "email",
    "columns": [
        {"header": "email", "target": "id:email"},
        {"header": "phone", "target": "id:phone"},
        {"header": "age", "target": "trait:age", "type": "number"},
        {"header": "news", "target": "consent:newsletter:email"},
    ],
}
HEAD = "email,phone,age,news\n"


@pytest.fixture
def reader() -> Profile:
    """Anna, who reads the newsletter."""
    anna = factories.person("anna@example.org")
    say(anna, purpose("newsletter"), "given")
    return anna


def news(of: Profile) -> str:
    """Return what holds for the newsletter."""
    row = ConsentState.objects.filter(profile_id=of.pk, purpose__slug="newsletter").first()
    return row.state if row is not None else ""


@pytest.mark.parametrize(
    "row",
    [
        ",+31612345678,41,nee",  # the column that people are matched by is empty
        "no address,+31612345678,41,nee",
        "anna@example.org,+31687654321,41,nee",  # the number is Bert's: the no counts for both
        "no address,+31612345678,41,bezwaar",
    ],
)
def test_an_opt_out_of_a_rejected_row_is_applied(reader: Profile, row: str) -> None:
    """The row stays out, with its reason; the no does not."""
    factories.identifier(reader, "phone", "+31612345678")
    bert = factories.person("bert@example.org")
    factories.identifier(bert, "phone", "+31687654321")
    planned = checked(HEAD + row + "\n", MAPPING)
    assert planned.counts["opt_outs"] == {"rows": 1}
    assert news(reader) == "given"
    job = confirm(planned)
    assert outcomes(job) == {"rejected": 1}
    assert news(reader) == ("objected" if "bezwaar" in row else "withdrawn")
    assert (job.counts["opt_outs"]["applied"], job.counts["targets"]["consent:newsletter:email"]["lowered"] > 0) == (
        1,
        True,
    )
    assert "age" not in Profile.objects.get(pk=reader.pk).traits


def test_an_opt_out_of_a_second_row_about_the_same_person_is_applied() -> None:
    """The first row makes the person, the second is skipped; and one that names nobody stops nothing."""
    purpose("newsletter")
    rows = "anna@example.org,,41,ja\nanna@example.org,,41,nee\n,+31611111111,x,nee\nno address,,x,ja\n"
    job = confirm(checked(HEAD + rows, MAPPING, PROOF))
    assert outcomes(job) == {"created": 1, "skipped": 1, "rejected": 2}
    anna = person("email", "anna@example.org")
    assert anna is not None
    assert news(anna) == "withdrawn"
    assert {name: job.counts["opt_outs"][name] for name in ("rows", "applied", "unknown")} == {
        "rows": 2,
        "applied": 1,
        "unknown": 1,
    }


def test_a_yes_of_a_rejected_row_is_not_applied(reader: Profile) -> None:
    """Only what takes away."""
    say(reader, ConsentState.objects.get().purpose, "withdrawn")
    factories.identifier(reader, "phone", "+31612345678")
    job = confirm(checked(HEAD + "no address,+31612345678,41,ja\n", MAPPING, PROOF))
    assert outcomes(job) == {"rejected": 1}
    assert news(reader) == "withdrawn"


def test_a_restricted_person_may_opt_out_and_an_erased_one_is_left_alone(reader: Profile) -> None:
    """Restriction keeps data from being used; a no uses nothing."""
    Profile.objects.filter(pk=reader.pk).update(restricted_at=factories.at(3))
    assert outcomes(imported(HEAD + "anna@example.org,,41,nee\n", MAPPING)) == {"skipped": 1}
    assert news(reader) == "withdrawn"
    erase_person(profile_id=reader.pk, actor="test", reason="asked")
    count = ConsentRecord.objects.count()
    imported(HEAD + "anna@example.org,,x,bezwaar\n", MAPPING)
    assert ConsentRecord.objects.count() == count


def test_the_report_says_so(reader: Profile, client_as: AsRole) -> None:
    """Before and after."""
    client = client_as("Marketer")
    factories.identifier(reader, "phone", "+31612345678")
    rows = ",+31612345678,41,nee\n,+31611111111,41,nee\n,+31622222222,41,\n"
    job = checked(HEAD + rows, MAPPING)
    page = reverse("profiles:import", args=[job.pk])
    assert "2 of these rows say no to something. It will be applied" in client.get(page).text
    confirm(job)
    after = client.get(page).text
    assert "It was applied all the same for the people who are known: 1" in after
    assert "1 row names nobody who is known" in after


def test_opt_outs_go_block_by_block_and_once(reader: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the worker stops in between."""
    monkeypatch.setattr(refused, "BLOCK", 2)
    factories.identifier(reader, "phone", "+31612345678")
    rows = "".join(f",+3161100000{number},41,nee\n" for number in range(5)) + ",+31612345678,41,nee\n"
    job = confirm(checked(HEAD + rows, MAPPING))
    assert (job.counts["opt_outs"]["rows"], job.counts["opt_outs"]["applied"]) == (6, 1)
    assert ConsentRecord.objects.filter(state="withdrawn").count() == 1


# The undo ----------------------------------------------------------------------------------------------------------
def test_an_undo_counts_people_and_invalidates_what_the_import_said(reader: Profile, client_as: AsRole) -> None:
    """Two people, three permissions: two, not three or five; nobody withdrew anything."""
    purpose("offers")
    mapping = {**MAPPING, "columns": [*MAPPING["columns"], {"header": "offers", "target": "consent:offers:email"}]}
    rows = "anna@example.org,,41,nee,nee\nbert@example.org,,42,ja,ja\ncarla@example.org,,x,nee,\n"
    carla = factories.person("carla@example.org")
    before = list(ConsentState.objects.values())
    job = confirm(checked("email,phone,age,news,offers\n" + rows, mapping, PROOF))
    officer = client_as("Privacy officer")
    assert officer.get("/privacy/").text.count("/privacy/log/") > 3
    job = undone(job)
    assert list(ConsentState.objects.values()) == before
    assert (job.counts["undone"]["removed"], job.counts["undone"]["restored"], job.counts["undone"]["kept"]) == (
        1,
        2,
        0,
    )
    assert job.counts["undone"]["facts"] == {"permissions": 5}
    made = ConsentRecord.objects.filter(reference=f"import-undo:{job.pk}")
    assert set(made.values_list("state", "method")) == {("invalidated", "import_undone")}
    assert news(reader) == "given"
    assert news(carla) == ""
    assert verify_ledger() == []
    desk = officer.get("/privacy/").text
    assert "withdrew" not in desk
    assert "Nobody has withdrawn or objected yet" in desk


def test_removed_people_are_shown_as_removed_by_the_undo(client_as: AsRole) -> None:
    """Not as erased: that would be an answer to a request that nobody made."""
    purpose("newsletter")
    job = undone(confirm(checked(HEAD + "anna@example.org,,41,ja\n", MAPPING, PROOF)))
    assert Profile.objects.count() == 0
    assert ConsentState.objects.count() == 0
    officer = client_as("Privacy officer")
    log = officer.get("/privacy/log/").text
    assert f"removed by the undo of import {job.pk}" in log
    assert ">erased<" not in log
    record = ConsentRecord.objects.earliest("pk")
    page = officer.get(f"/privacy/log/{record.pk}/").text
    assert "the import that brought it was undone" in page
    assert f"removed by the undo of import {job.pk}" in page


def test_what_was_said_after_the_import_stays(reader: Profile) -> None:
    """Their own withdrawal is not taken back with the file's."""
    newsletter = ConsentState.objects.get().purpose
    job = imported(HEAD + "anna@example.org,,41,nee\n", MAPPING)
    say(reader, newsletter, "given", method="preferences", seen=True)
    say(reader, newsletter, "withdrawn", method="preferences", seen=True)
    undone(job)
    assert state_of(reader, newsletter) == "withdrawn"


def test_an_undo_reaches_purposes_that_are_switched_off(reader: Profile) -> None:
    """What is no target any more was one."""
    job = imported(HEAD + "anna@example.org,,41,nee\n", MAPPING)
    newsletter = ConsentState.objects.get().purpose
    update_purpose(purpose_id=newsletter.pk, changes={"active": False})
    undone(job)
    assert news(reader) == "given"


def test_people_whom_another_import_spoke_of_stay() -> None:
    """Only what came with the import goes with it."""
    purpose("newsletter")
    first = imported("email\nanna@example.org\n")
    confirm(checked(HEAD + "anna@example.org,,,ja\n", MAPPING, PROOF))
    job = undone(first)
    assert (job.counts["undone"]["removed"], job.counts["undone"]["kept"]) == (0, 1)
    assert Profile.objects.count() == 1


def test_an_undo_goes_in_blocks_and_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block is saved with how far it came; a failure between two of them loses and repeats nothing."""
    monkeypatch.setattr(undoing, "BLOCK", 3)
    purpose("newsletter")
    rows = "".join(f"p{number}@example.org,,{number},ja\n" for number in range(10))
    job = confirm(checked(HEAD + rows, MAPPING, PROOF))
    steps = 0
    inner = faults.persist

    def stop_after_three(work: Callable[[], bool]) -> bool:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise RuntimeError("killed")
        return inner(work)

    monkeypatch.setattr(undoing, "persist", stop_after_three)
    service.start_undo(import_id=job.pk, actor=None)
    run_imports()
    job.refresh_from_db()
    assert job.state == "undoing"
    assert job.counts["undone"]["facts"] == {"permissions": 6}
    again(job)
    assert job.state == "undone"
    assert (job.counts["undone"]["removed"], job.counts["undone"]["facts"]) == (10, {"permissions": 10})
    assert ConsentRecord.objects.filter(state="invalidated").count() == 10
    assert (Profile.objects.count(), Identifier.objects.count()) == (0, 0)
    assert verify_ledger() == []


def again(job: Import) -> None:
    """Let the worker take the import up once more, now."""

    QueueItem.objects.update(due_at=factories.at(1))
    run_imports()
    job.refresh_from_db()
