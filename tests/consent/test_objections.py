"""E27: an objection stands, whoever says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone as clock

from cdp.common.errors import CdpError
from consent.gate import check
from consent.import_targets import consent_targets
from consent.import_undo import undo_permissions
from consent.links import make_token
from consent.models import ConsentRecord, Purpose
from profiles.changes import Change, IdentifierMove, announce, kept_people
from profiles.importing.targets import ImportTarget, Proof, TargetJob, TargetRow
from profiles.models import Identifier, Profile
from tests.consent.factories import at, payload_of, person, purpose, say, source, state_of
from tests.consent.test_changes import event

pytestmark = pytest.mark.django_db
PROOF = Proof(source="paper form at the fair", obtained_on="2026-11-01", wording="Yes, mail me")


def target(of: Purpose) -> ImportTarget:
    """Return the import target of a purpose."""
    return next(item for item in consent_targets() if item.name == f"consent:{of.slug}:email")


def job(proof: Proof | None = None, import_id: int = 7) -> TargetJob:
    """Return an import."""
    return TargetJob(import_id=import_id, import_name="contacts.csv", actor=None, proof=proof, at=clock.now())


def cell(who: Profile, value: str, line: int = 2) -> TargetRow:
    """Return a checked cell."""
    return TargetRow(line=line, value=value, profile_id=who.pk, identifier_id=who.identifiers.get().pk)


@pytest.fixture
def objector() -> tuple[Profile, Purpose]:
    """A person who objected to marketing."""
    anna, newsletter = person(), purpose()
    say(anna, newsletter, "given")
    say(anna, newsletter, "objected", method="preferences")
    return anna, newsletter


def still_objected(anna: Profile, of: Purpose) -> bool:
    """Tell whether the objection stands, in the state and in the gate."""
    decision = check(profile_ids=[anna.pk], purpose_id=of.pk, channel="email")[anna.pk]
    return state_of(anna, of) == "objected" and decision.reason == "objected"


def test_import_with_yes_and_proof_does_not_lift_it(objector: tuple[Profile, Purpose]) -> None:
    """The row is refused with a reason, in the dry run and in the commit."""
    anna, newsletter = objector
    for step in (target(newsletter).plan, target(newsletter).apply):
        outcome = step([cell(anna, "given")], job(PROOF))
        assert (outcome.counts, outcome.refused) == ({"refused": 1}, {2: "consent.objected"})
    assert still_objected(anna, newsletter)


def test_public_key_does_not_lift_it(objector: tuple[Profile, Purpose]) -> None:
    """Consent events of a browser key are ignored."""
    anna, newsletter = objector
    event(anna, "Consent Given", by=source("browser"), purpose="newsletter", text_version=1)
    assert still_objected(anna, newsletter)


def test_server_event_without_proof_does_not_lift_it(objector: tuple[Profile, Purpose]) -> None:
    """It is recorded, and does not count."""
    anna, newsletter = objector
    event(anna, "Consent Given", by=source(), purpose="newsletter")
    assert ConsentRecord.objects.latest("id").state == "given"
    assert still_objected(anna, newsletter)


def test_api_does_not_lift_it(objector: tuple[Profile, Purpose], api_token: Callable[[str], dict[str, str]]) -> None:
    """The API says why."""
    anna, newsletter = objector
    body = {
        "profile_id": str(anna.uuid),
        "purpose_id": "newsletter",
        "state": "given",
        "evidence": {"proof": "says our CRM"},
    }
    response = Client().post(
        "/api/v1/consent-records/", body, content_type="application/json", headers=api_token("Privacy officer")
    )
    assert (response.status_code, response.json()["code"]) == (409, "consent.objected")
    assert still_objected(anna, newsletter)


def test_joining_with_somebody_who_agrees_does_not_lift_it(objector: tuple[Profile, Purpose]) -> None:
    """Also when the other gave permission later."""
    anna, newsletter = objector
    other = person()
    say(other, newsletter, "given")
    identifier = anna.identifiers.get()
    Identifier.objects.filter(pk=identifier.pk).update(profile=other)
    Profile.objects.filter(pk=anna.pk).update(merged_into=other)
    step = IdentifierMove(identifier_id=identifier.pk, from_profile_id=anna.pk, to_profile_id=other.pk)
    announce(Change(profile_ids={anna.pk, other.pk}, cause="merge", moved=[step]))
    assert still_objected(other, newsletter)


def test_officer_without_proof_does_not_lift_it(
    objector: tuple[Profile, Purpose], user_as: Callable[[str], User]
) -> None:
    """Not even the privacy officer, without saying how the person gave it."""
    anna, newsletter = objector
    with pytest.raises(CdpError):
        say(anna, newsletter, "given", method="officer", evidence={})
    assert still_objected(anna, newsletter)


def test_person_lifts_it_by_a_new_yes(objector: tuple[Profile, Purpose]) -> None:
    """The person themselves may change their mind."""
    anna, newsletter = objector
    say(anna, newsletter, "given", method="preferences")
    assert check(profile_ids=[anna.pk], purpose_id=newsletter.pk, channel="email")[anna.pk].allowed


def test_import_without_proof_raises_nothing() -> None:
    """Invariant 8: the dry run says so, the commit does so."""
    anna, newsletter = person(), purpose()
    for step in (target(newsletter).plan, target(newsletter).apply):
        outcome = step([cell(anna, "given")], job(None))
        assert (outcome.counts, outcome.refused) == ({"refused": 1}, {2: "no_proof"})
    assert ConsentRecord.objects.count() == 0


def test_import_with_proof_raises_and_lowers_and_can_be_undone() -> None:
    """Counts add up; undo brings back the answers of before, once."""
    newsletter = purpose()
    fresh, yes, no, same = person(), person(), person(), person()
    say(yes, newsletter, "given")
    say(same, newsletter, "given")
    say(no, newsletter, "withdrawn", occurred_at=at(3))
    of = target(newsletter)
    rows = [cell(fresh, "given"), cell(yes, "withdrawn", 3), cell(same, "given", 4), cell(no, "withdrawn", 5)]
    planned, done = of.plan(rows, job(PROOF)), of.apply(rows, job(PROOF))
    assert planned.counts == done.counts == {"raised": 1, "lowered": 1, "unchanged": 2}
    assert [state_of(who, newsletter) for who in (fresh, yes, same, no)] == ["given", "withdrawn", "given", "withdrawn"]
    record = ConsentRecord.objects.get(profile_id=fresh.pk)
    assert payload_of(record.evidence)["words"] == "Yes, mail me"
    step = undo_permissions(7, None, 0, 100)
    assert (step.people, dict(step.counts)) == ({fresh.pk, yes.pk}, {"permissions": 2})
    assert undo_permissions(7, None, step.next or 0, 100).next is None
    assert undo_permissions(7, None, 0, 100).counts == {"permissions": 0}
    assert [state_of(who, newsletter) for who in (fresh, yes, same, no)] == ["", "given", "given", "withdrawn"]


def test_import_does_not_raise_over_a_later_withdrawal() -> None:
    """A list of last year does not bring back who left this week."""
    anna, newsletter = person(), purpose()
    say(anna, newsletter, "withdrawn", occurred_at=at(9).replace(month=11).astimezone(UTC))
    outcome = target(newsletter).plan([cell(anna, "given")], job(PROOF))
    assert outcome.refused == {2: "consent.withdrawn_later"}


@pytest.mark.parametrize(("text", "result"), [("Ja", "given"), (" no ", "withdrawn"), ("Bezwaar", "objected")])
def test_cells_are_read(text: str, result: str) -> None:
    """The words of a file."""
    assert target(purpose()).check(text) == (result, "")


def test_odd_cell_is_refused() -> None:
    """Perhaps is not yes."""
    assert target(purpose()).check("perhaps") == (None, "not_yes_or_no")


def test_undo_of_an_import_keeps_who_spoke_for_themselves() -> None:
    """People known to the ledger by the import alone may go with it; the others stay."""
    of, spoke, imported, silent = purpose(), person(), person(), person()
    say(spoke, of, "given")
    target(of).apply([cell(imported, "given")], job(PROOF))
    people = [spoke.pk, imported.pk, silent.pk]
    assert kept_people(people, "import:7") & set(people) == {spoke.pk}
    assert kept_people(people, "import:8") & set(people) == {spoke.pk, imported.pk}


def test_pages_say_that_an_objection_ends_everything(client_as: Callable[[str], Client]) -> None:
    """Before and after, to the officer and to the person, and on the desk (GDPR art. 21(3))."""
    anna, newsletter = person(), purpose()
    purpose("offers")
    officer = client_as("Privacy officer")
    page = f"/privacy/people/{anna.uuid}/record/"
    every = "by every channel: Newsletter, Offers"
    assert f"ends all direct marketing to this person at once, {every}" in officer.get(page).text
    done = officer.post(page, {"state": "objected", "method": "mail", "proof": "letter"}, follow=True).text
    assert f"All direct marketing to this person has ended, {every}" in done
    assert ConsentRecord.objects.filter(state="objected").count() == 2
    assert officer.post(page, {"state": "withdrawn", "method": "mail"}).status_code == 422  # a topic is needed
    assert "ends all marketing" in officer.get("/privacy/").text
    record = ConsentRecord.objects.latest("pk")
    assert "This ends all direct marketing" in officer.get(f"/privacy/log/{record.pk}/").text
    link = make_token(profile_id=anna.pk, purpose_id=newsletter.pk, channel="email", reference="delivery:1:1")
    assert f"This objects to all our marketing at once, {every}" in Client().get(f"/preferences/{link}/").text
    assert "This ended: Newsletter, Offers" in Client().post(f"/preferences/{link}/", {"stop": "1"}).text


def test_the_api_says_that_an_objection_ends_everything(api_token: Callable[[str], dict[str, str]]) -> None:
    """In the answer; not for what is no marketing."""
    anna = person()
    purpose()
    purpose("service", basis="legitimate_interest", is_marketing=False)
    for slug, ends in (("newsletter", True), ("service", False)):
        body = {"profile_id": str(anna.uuid), "purpose_id": slug, "state": "objected"}
        made = Client().post(
            "/api/v1/consent-records/", body, content_type="application/json", headers=api_token("Privacy officer")
        )
        assert made.json()["ends_all_marketing"] is ends
