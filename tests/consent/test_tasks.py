"""What beat wakes, as a worker runs it: the verification of what is new, and of the whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from cdp.common import copying
from consent.ledger_watch import ledger_health, ledger_state
from consent.models import ConsentRecord, LedgerCheck, LedgerSeal
from consent.services import recording, request_check, seal_ledger, verify_ledger
from consent.services import verifying as steps
from tests.consent.factories import person, purpose, say
from tests.consent.test_verify import tamper

pytestmark = pytest.mark.django_db(transaction=True)
AsRole = Callable[[str], Client]


def tick() -> None:
    """Do what a worker does when beat wakes it."""
    row = PeriodicTask.objects.get(name="consent.verify_ledger")
    assert row.interval is not None and row.interval.every <= 60
    current_app.tasks[row.task]()


def hours_later(hours: float) -> None:
    """Let time go by for what was verified so far."""
    for check in LedgerCheck.objects.all():
        moved = {name: getattr(check, name) - timedelta(hours=hours) for name in ("requested_at", "finished_at")}
        LedgerCheck.objects.filter(pk=check.pk).update(**moved)


def records(count: int) -> None:
    """Record statements of as many people."""
    newsletter = purpose(f"letter-{ConsentRecord.objects.count()}")
    for _number in range(count):
        say(person(), newsletter, "given")


def test_health_is_never_green_without_a_verification() -> None:
    """An empty ledger is fine; one record that nobody looked at is not; then it says how long ago."""
    assert ledger_health()[0]
    records(2)
    ok, found, _fix = ledger_health()
    assert (ok, "never" in found) == (False, True)
    tick()
    ok, found, _fix = ledger_health()
    assert ok, found
    assert "ago" in found
    assert LedgerSeal.objects.get().count == 2


def test_health_turns_red_by_age() -> None:
    """When nothing is verified for hours, and when the whole was not for weeks."""
    records(1)
    tick()
    hours_later(4)
    assert not ledger_health()[0]
    tick()
    assert ledger_health()[0]
    hours_later(24 * 15)
    LedgerCheck.objects.filter(whole=False).update(finished_at=timezone.now(), requested_at=timezone.now())
    assert not ledger_health()[0]
    tick()
    assert ledger_health()[0]


def test_health_stays_red_until_the_whole_was_found_in_order_again() -> None:
    """A verification of what is new does not make an alteration of the past go away."""
    records(3)
    tick()
    tamper("UPDATE consent_consentrecord SET actor = 'somebody' WHERE id = (SELECT min(id) FROM consent_consentrecord)")
    assert verify_ledger() != []
    hours_later(2)
    records(1)
    tick()
    assert not ledger_health()[0]
    tamper("UPDATE consent_consentrecord SET actor = 'subject' WHERE id = (SELECT min(id) FROM consent_consentrecord)")
    assert verify_ledger() == []
    assert ledger_health()[0]


def test_only_what_is_new_is_looked_at_every_hour() -> None:
    """From the last verified seal on; so an hour costs what the hour brought."""
    records(5)
    tick()
    hours_later(2)
    records(3)
    tick()
    new = LedgerCheck.objects.filter(whole=False).order_by("pk")
    assert [check.records for check in new] == [5, 3]
    assert [seal.count for seal in LedgerSeal.objects.order_by("pk")] == [5, 3]
    assert ledger_state().upto == ConsentRecord.objects.latest("pk").pk


NEW_TAMPERINGS = [
    "UPDATE consent_consentrecord SET actor = 'somebody' WHERE id = {last}",
    "DELETE FROM consent_consentrecord WHERE id = {last}",
    "DELETE FROM consent_consentrecord WHERE id = {last} - 1",
    "UPDATE consent_consentevidence SET payload = '{{}}' WHERE record_id = {last}",
    "DELETE FROM consent_consentevidence WHERE record_id = {last}",
    "UPDATE consent_consentstate SET state = 'withdrawn' WHERE record_id = {last}",
    "UPDATE consent_purpose SET basis = 'legitimate_interest'",
]


@pytest.mark.parametrize("statement", NEW_TAMPERINGS)
@pytest.mark.parametrize("sealed", [True, False])
def test_an_alteration_of_what_is_new_is_found_within_the_hour(statement: str, sealed: bool) -> None:
    """By the verification of what is new alone."""
    records(2)
    tick()
    hours_later(2)
    newsletter, anna = purpose("other"), person()
    for state in ("given", "withdrawn", "given"):
        say(anna, newsletter, state)
    if sealed:
        seal_ledger()
    tamper(statement.format(last=ConsentRecord.objects.latest("pk").pk))
    tick()
    assert LedgerCheck.objects.filter(whole=False).latest("pk").problem_count
    assert not ledger_health()[0]


def test_a_verification_goes_on_where_a_killed_worker_left_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seals of three records each; the worker dies after the first step, the next one takes the rest."""
    monkeypatch.setattr("consent.services.sealing.MOST", 3)
    records(8)
    assert seal_ledger() is not None
    assert [seal.count for seal in LedgerSeal.objects.order_by("pk")] == [3, 3, 2]
    check = request_check(whole=True, actor="test")
    steps.advance(check)
    again = LedgerCheck.objects.get(pk=check.pk)
    assert (again.records, again.cursor, again.finished_at) == (3, LedgerSeal.objects.earliest("pk").to_id, None)
    tick()
    again.refresh_from_db()
    assert (again.records, again.problem_count, again.phase) == (8, 0, "done")


def test_two_workers_at_the_same_step_count_it_once() -> None:
    """The one that comes second follows the first."""
    records(4)
    seal_ledger()
    first = request_check(whole=True, actor="test")
    second = LedgerCheck.objects.get(pk=first.pk)
    steps.run_check(first)
    steps.advance(second)
    assert (second.records, second.phase) == (4, "done")
    assert LedgerCheck.objects.get(pk=first.pk).records == 4


def test_the_page_asks_for_the_whole_and_shows_how_far_it_is(client_as: AsRole) -> None:
    """The request returns at once; the card follows the verification and then shows its result."""
    records(3)
    client = client_as("Privacy officer")
    assert client.post("/privacy/verify/").status_code == 302
    assert "The whole ledger is being verified" in client.get("/privacy/integrity/").content.decode()
    client.post("/privacy/verify/")
    assert LedgerCheck.objects.filter(whole=True).count() == 1  # the one under way
    tick()
    card = client.get("/privacy/integrity/").content.decode()
    assert "being verified" not in card
    assert "verified up to record" in card
    tamper("UPDATE consent_consentrecord SET actor = 'somebody'")
    client.post("/privacy/verify/")
    tick()
    assert "altered in 3 places" in client.get("/privacy/").content.decode()


@pytest.fixture
def slow_writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A writer that has its ids and takes its time before it writes."""
    has_ids, may_write = threading.Event(), threading.Event()
    write = copying.copy_rows

    def wait(table: str, *args: Any) -> None:
        if threading.current_thread() is not threading.main_thread() and table == "consent_consentrecord":
            has_ids.set()
            may_write.wait(20)
        write(table, *args)

    monkeypatch.setattr(recording, "copy_rows", wait)
    yield has_ids, may_write
    may_write.set()


def test_no_record_comes_to_stand_below_a_seal(slow_writer: tuple[threading.Event, threading.Event]) -> None:
    """A writer that took its ids before the seal, and writes after it: the sealing waits for it, or gives up."""
    has_ids, may_write = slow_writer
    anna, newsletter = person(), purpose()

    def write_slowly() -> None:
        try:
            say(anna, newsletter, "given")
        finally:
            connection.close()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    assert has_ids.wait(20)
    say(person(), newsletter, "given")  # a later id, committed first
    sealing = threading.Thread(target=_seal)
    sealing.start()
    sealing.join(1)
    may_write.set()
    writer.join()
    sealing.join()
    seal_ledger()
    assert sum(seal.count for seal in LedgerSeal.objects.all()) == 2
    assert verify_ledger() == []


def _seal() -> None:
    try:
        seal_ledger()
    finally:
        connection.close()
