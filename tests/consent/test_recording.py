"""Appending to the ledger."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from cdp.common.errors import CdpError
from consent.models import ConsentEvidence, ConsentRecord, ConsentState
from consent.services import ConsentEntry, record_consents, verify_ledger
from profiles.changes import Change, change_handlers
from tests.consent.factories import at, identifier, payload_of, person, purpose, say, state_of

pytestmark = pytest.mark.django_db


def test_statement_is_recorded_with_its_evidence_and_holds() -> None:
    """One statement: a record, its evidence, the state."""
    anna, newsletter = person(), purpose()
    record = say(anna, newsletter, "given", occurred_at=at(3))
    assert (record.position, record.state, record.proof) == (1, "given", "claimed")
    assert payload_of(ConsentEvidence.objects.get(record=record))["page_url"] == "https://shop.example/news"
    assert state_of(anna, newsletter) == "given"


def test_second_statement_follows_the_first() -> None:
    """The chain: positions rise and each carries the hash before it."""
    anna, newsletter = person(), purpose()
    first, second = say(anna, newsletter, "given"), say(anna, newsletter, "withdrawn")
    assert (second.position, second.prev_hash) == (2, first.hash)
    assert state_of(anna, newsletter) == "withdrawn"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_consentrecord SET state = 'given'",
        "DELETE FROM consent_consentrecord",
        "TRUNCATE consent_consentrecord CASCADE",
    ],
)
def test_database_refuses_to_change_the_ledger(statement: str) -> None:
    """Whoever asks: no update, no delete, no truncate."""
    say(person(), purpose(), "withdrawn")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert ConsentRecord.objects.get().state == "withdrawn"


def test_many_statements_make_the_same_chains_as_single_ones() -> None:
    """Bulk: several statements of one subject in one block follow each other."""
    anna, bert, newsletter = person(), person(), purpose()
    entries = [
        ConsentEntry(
            profile_id=who.pk, purpose_id=newsletter.pk, channel="email", state=state, method="form", actor="subject"
        )
        for state in ("given", "withdrawn", "given")
        for who in (anna, bert)
    ]
    record_consents(entries)
    assert sorted(ConsentRecord.objects.values_list("position", flat=True)) == [1, 1, 2, 2, 3, 3]
    assert verify_ledger() == []
    assert state_of(anna, newsletter) == "given"


def test_block_costs_the_same_statements_however_many_people(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """Tens of thousands of rows pass in a fixed number of statements."""
    people, newsletter = [person() for _number in range(40)], purpose()
    entries = [
        ConsentEntry(
            profile_id=who.pk, purpose_id=newsletter.pk, channel="email", state="given", method="form", actor="subject"
        )
        for who in people
    ]
    with django_assert_max_num_queries(24):
        assert len(record_consents(entries)) == 40


def test_joined_profile_stands_for_its_winner() -> None:
    """A link made before a join still reaches the person."""
    winner, newsletter = person(), purpose()
    loser = person(None, merged_into=winner)
    loser.identifiers.all().delete()
    say(loser, newsletter, "withdrawn")
    assert state_of(winner, newsletter) == "withdrawn"


@pytest.mark.parametrize("method", ["api", "import", "officer", "paper"])
def test_yes_of_somebody_else_needs_a_proof(method: str) -> None:
    """Others may say that a person agreed only when they say how they know."""
    anna, newsletter = person(), purpose()
    with pytest.raises(CdpError) as refused:
        say(anna, newsletter, "given", method=method, evidence={})
    assert refused.value.code == "consent.no_proof"
    assert say(anna, newsletter, "given", method=method, evidence={"proof": "form of 3 March"}).proof == "claimed"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"channel": "sms"}, "consent.wrong_channel"),
        ({"state": "maybe"}, "consent.unknown_state"),
        ({"method": "magic"}, "consent.unknown_method"),
    ],
)
def test_what_is_unknown_is_refused(fields: dict[str, str], code: str) -> None:
    """Nothing half-known enters the ledger."""
    state = fields.pop("state", "given")
    with pytest.raises(CdpError) as refused:
        say(person(), purpose(), state, **fields)
    assert refused.value.code == code


def test_erased_person_gets_no_record() -> None:
    """The dead do not speak."""
    gone = person(erased_at=at(5))
    with pytest.raises(CdpError) as refused:
        say(gone, purpose(), "given")
    assert refused.value.code == "consent.unknown_person"


def test_segments_hear_of_a_change() -> None:
    """A change of what holds is announced in the same transaction; a repetition that changes nothing is not."""
    heard: list[Change] = []
    change_handlers.add("test", heard.append)
    try:
        anna = person()
        say(anna, purpose(), "given")
    finally:
        change_handlers._items.pop("test")
    assert [(change.cause, change.profile_ids) for change in heard] == [("consent", {anna.pk})]


def test_text_of_any_kind_survives_in_the_evidence() -> None:
    """NUL, fractions, nesting: stored, and still matching the digest."""
    anna, newsletter = person(), purpose()
    say(anna, newsletter, "given", evidence={"a": "x\x00y", "b": 1.5, "c": {"d": [True, None, 3]}, "proof": "é\n"})
    assert verify_ledger() == []


@pytest.mark.django_db(transaction=True)
def test_statements_at_the_same_time_form_one_chain() -> None:
    """Eight connections, one subject and two subjects of one person: no gap, no fork, the state is the ledger's."""
    anna, newsletter = person(), purpose()
    device = identifier(anna, "anonymous_id", "phone-1")
    errors: list[BaseException] = []

    def speak(number: int) -> None:
        try:
            for turn in range(5):
                state = "given" if (number + turn) % 2 else "withdrawn"
                say(anna, newsletter, state, identifier_id=device.pk if number % 2 else None)
        except BaseException as error:  # noqa: BLE001 - carried to the main thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert ConsentRecord.objects.count() == 40
    assert verify_ledger() == []
    latest = ConsentRecord.objects.order_by("recorded_at", "id").last()
    assert latest is not None
    assert ConsentState.objects.get().state == latest.state
