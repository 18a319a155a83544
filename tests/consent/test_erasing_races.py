"""Erasures under load: nobody comes back, and nothing of anybody else is lost (C3, F4)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import Sum

from cdp.common.errors import CdpError
from consent.models import Erasure
from consent.services import erase_person
from profiles import tombstones
from profiles.importing import commit
from profiles.importing import people as importing
from profiles.models import Identifier, InboxEntry, Interaction, Profile, Source, SourceCounter
from profiles.processing.drain import drain_inbox
from profiles.services.identifiers import confirm_identifier
from profiles.services.merges import merge_profiles
from profiles.services.profiles import PersonRow, upsert_people
from profiles.tombstones import find_erased, shut_out_writers
from tests.consent.factories import person as known_person
from tests.profiles.importing.helpers import checked, confirm
from tests.profiles.processing.inbox import identify, person, put, send, source, track

pytestmark = pytest.mark.django_db(transaction=True)


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Give the thread's connection back when its work is done."""

    def run() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    return run


def alive(kind: str, value: str) -> bool:
    return Identifier.objects.filter(kind=kind, value=value).exists()


def events_of(number: int, round_: int, name: str) -> list[dict[str, Any]]:
    """Return what a person's devices and till say in a round: the ids in ever other company."""
    user, device = f"{name}{number}", f"{name}-device-{number}"
    return [
        identify(f"{name}{number}-{round_}-a", round_, userId=user, anonymousId=device, traits={"n": round_}),
        track(f"{name}{number}-{round_}-b", minute=round_, anonymousId=device),
        track(f"{name}{number}-{round_}-c", minute=round_, userId=user, properties={"of": f"victim{number}"}),
    ]


def test_nobody_comes_back_while_events_stream_in_and_strangers_lose_nothing() -> None:
    origin, rounds, people = source(), 12, 6
    for number in range(people):
        put(origin, events_of(number, 0, "victim") + events_of(number, 0, "stranger"))
    drain_inbox(seconds=30)
    victims = [person("user_id", f"victim{number}").pk for number in range(people)]
    sent = threading.Event()

    def produce() -> None:
        for round_ in range(1, rounds):
            for number in range(people):
                both = events_of(number, round_, "victim"), events_of(number, round_, "stranger")
                put(origin, [item for pair in zip(*both, strict=True) for item in pair])
            time.sleep(0.02)
        sent.set()

    def process() -> None:
        while not sent.is_set() or InboxEntry.objects.exists():
            drain_inbox(seconds=1)

    def erase() -> None:
        for profile_id in victims:
            time.sleep(0.05)
            erase_person(profile_id=profile_id, actor="test", reason="request")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(in_thread(work)) for work in (produce, process, process, erase)]:
            done.result(timeout=120)
    drain_inbox(seconds=30)
    for number in range(people):
        assert not alive("user_id", f"victim{number}")
        assert not alive("anonymous_id", f"victim-device-{number}")
        stranger = person("user_id", f"stranger{number}")
        assert Interaction.objects.filter(profile_id=stranger.pk).count() == 3 * rounds
    assert Interaction.objects.count() == 3 * rounds * people
    assert Profile.objects.filter(erased_at=None, merged_into=None).count() == people
    names = ("received", "stored", "duplicate", "rejected", "erased")
    counts = SourceCounter.objects.aggregate(**{name: Sum(name) for name in names})
    assert counts["received"] == 2 * 3 * rounds * people
    assert (counts["duplicate"], counts["rejected"]) == (0, 0)
    assert Erasure.objects.filter(finished_at__isnull=False).count() == people


def test_a_block_that_waited_for_the_person_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The erasure begins when the block has asked who is erased, and before it has locked anybody: as in C3."""
    origin = source()
    send(origin, identify("m1", userId="anna", anonymousId="device"))
    anna = person("user_id", "anna")
    put(origin, [track("m2", userId="anna"), track("m3", anonymousId="device"), track("m4", userId="bert")])
    erased: list[threading.Thread] = []
    real = tombstones.find_erased

    def ask_and_let_the_erasure_begin(pairs: Any) -> Any:
        answer = real(pairs)
        if not erased:
            erased.append(threading.Thread(target=in_thread(erase)))
            erased[0].start()
            time.sleep(0.5)
        return answer

    def erase() -> None:
        erase_person(profile_id=anna.pk, actor="test", reason="request")

    monkeypatch.setattr("profiles.processing.block.find_erased", ask_and_let_the_erasure_begin)
    drain_inbox(seconds=30)
    erased[0].join(30)
    assert not alive("user_id", "anna") and not alive("anonymous_id", "device")
    assert alive("user_id", "bert")
    assert not Interaction.objects.filter(profile_id=anna.pk).exists()


def writers(origin: Source) -> dict[str, Callable[[], Any]]:
    """Return everybody who may write a person with this address."""
    row = PersonRow(identifiers=[("email", "anna@shop.nl")], traits={"plan": "pro"})
    return {
        "API": lambda: upsert_people(rows=[row], source=origin, cause="api"),
        "event": lambda: send(origin, identify("m9", userId="anna-2", traits={"email": "anna@shop.nl"})),
        "confirmation": lambda: confirm_identifier(kind="email", value="anna@shop.nl"),
        "import": lambda: confirm(checked("email\nanna@shop.nl\n")),
    }


@pytest.mark.parametrize("name", writers(Source()))
def test_every_writer_asks(name: str) -> None:
    anna = known_person("anna@shop.nl")
    erase_person(profile_id=anna.pk, actor="test", reason="request")
    with suppress(CdpError):
        writers(source())[name]()
    assert not alive("email", "anna@shop.nl")
    assert not Profile.objects.filter(erased_at=None).exists()


def test_an_import_cannot_commit_between_tombstone_and_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    anna = known_person("anna@shop.nl")
    job = checked("email\nanna@shop.nl\nbert@shop.nl\n")
    started = threading.Event()
    real = importing.write_rows

    def slowly(*given: Any) -> Any:
        started.set()
        time.sleep(0.5)
        return real(*given)

    monkeypatch.setattr(commit, "write_rows", slowly)
    thread = threading.Thread(target=in_thread(lambda: confirm(job)))
    thread.start()
    assert started.wait(30)
    erase_person(profile_id=anna.pk, actor="test", reason="request")
    thread.join(60)
    assert not alive("email", "anna@shop.nl")
    assert alive("email", "bert@shop.nl")
    assert not Profile.objects.filter(email="anna@shop.nl").exists()


def test_an_erasure_waits_for_writers_but_nobody_waits_long_for_it() -> None:
    """A writer that takes long holds up the erasure alone: others go on meanwhile."""
    release, holding = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            find_erased([("email", "other@shop.nl")])
            holding.set()
            release.wait(30)

    def ask_quickly() -> float:
        begun = time.monotonic()
        with transaction.atomic():
            find_erased([("email", "third@shop.nl")])
        return time.monotonic() - begun

    anna = known_person("anna@shop.nl")
    with ThreadPoolExecutor(3) as pool:
        slow = pool.submit(in_thread(write_slowly))
        assert holding.wait(10)
        erasure = pool.submit(in_thread(lambda: erase_person(profile_id=anna.pk, actor="test", reason="request")))
        waits = [pool.submit(in_thread(ask_quickly)).result(timeout=20) for _turn in range(5)]
        assert not erasure.done()
        assert max(waits) < 5, "they wait for a step of the erasure, not for the writer"
        release.set()
        slow.result(timeout=30)
        assert erasure.result(timeout=60).taken_out_at
    assert not alive("email", "anna@shop.nl")


def test_an_erasure_that_finds_no_gap_says_so_and_changes_nothing() -> None:
    release, holding = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            find_erased([("email", "other@shop.nl")])
            holding.set()
            release.wait(30)

    thread = threading.Thread(target=in_thread(write_slowly))
    thread.start()
    assert holding.wait(10)
    with pytest.raises(CdpError) as refused, transaction.atomic():
        shut_out_writers(seconds=0.5)
    assert refused.value.code == "erasure.busy"
    release.set()
    thread.join(30)


def test_a_merge_by_hand_at_the_same_time_ends_either_way() -> None:
    """Both lock the two people; whoever comes second meets an answer, not a deadlock that nobody handles."""
    for number in range(4):
        anna, bert = known_person(f"anna{number}@shop.nl"), known_person(f"bert{number}@shop.nl")
        outcomes: list[str] = []

        def merge(anna: Profile = anna, bert: Profile = bert, outcomes: list[str] = outcomes) -> None:
            try:
                merge_profiles(winner_id=anna.pk, loser_id=bert.pk)
            except CdpError as error:
                outcomes.append(error.code)

        def erase(anna: Profile = anna, outcomes: list[str] = outcomes) -> None:
            try:
                erase_person(profile_id=anna.pk, actor="test", reason="request")
            except CdpError as error:
                outcomes.append(error.code)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(in_thread(work)) for work in (merge, erase)]:
                done.result(timeout=60)
        assert set(outcomes) <= {"person.not_found", "consent.joined_person", "person.erased"}, outcomes
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7203301"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert cursor.fetchone()[0] == 0
