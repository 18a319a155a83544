"""The change feed misses nothing and nobody, whoever writes meanwhile and however late they commit."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, connections, transaction
from django.test import Client

from cdp.common.errors import CdpError
from cdp.common.queues import drain
from consent.services.erasing import erase_person
from consent.services.suppressing import lift_address, suppress_address
from profiles.models import Identifier, PersonChange, Profile
from profiles.services.merges import merge_profiles, undo_merge
from profiles.services.profiles import PersonRow, restrict_person, upsert_person
from profiles.services.removal import remove_people
from segments import list_members, membership_diff
from segments import services as segments
from tests.consent.factories import purpose, say
from tests.profiles.processing.inbox import identify, send, source, track
from tests.segments.factories import segment

Token = Callable[..., dict[str, str]]
START = {"updated_since": "2020-01-01T00:00:00Z", "limit": "200"}


def written(key: str, **traits: Any) -> int:
    """Make or change a person; return their number."""
    outcome = upsert_person(row=PersonRow(identifiers=[("user_id", key)], traits=traits), source=source())
    return outcome.profile_id or 0


class Mirror:
    """Another system that keeps a copy by the feed."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.address = f"/api/v1/profiles/?{urlencode(START | {'include': 'traits,identifiers'})}"
        self.people: dict[str, dict[str, Any]] = {}

    def read(self, *, limit: int = 200) -> list[dict[str, Any]]:
        """Follow the feed to its present end; return what it gave."""
        entries: list[dict[str, Any]] = []
        address = self.address.replace("limit=200", f"limit={limit}")
        while address:
            answer = Client().get(address, headers=self.headers)
            assert answer.status_code == 200, answer.content
            page = answer.json()
            entries += page["results"]
            self.address = page["resume"].replace(f"limit={limit}", "limit=200")
            address = page["next"]
        for entry in entries:
            self.people[entry["id"]] = entry
        return entries

    def state(self) -> dict[str, Any]:
        """Return the living people as this system knows them."""
        return {
            id: (entry["traits"], sorted((item["kind"], item["value"]) for item in entry["identifiers"]))
            for id, entry in self.people.items()
            if not entry["deleted"] and not entry["merged_into_id"]
        }


def truth() -> dict[str, Any]:
    """Return the living people as they are."""
    return {
        str(person.uuid): (
            person.traits,
            sorted(Identifier.objects.filter(profile_id=person.pk).values_list("kind", "value")),
        )
        for person in Profile.objects.alive()
    }


@pytest.mark.django_db(transaction=True)
def test_a_change_that_commits_late_is_not_missed(api_token: Token) -> None:
    mirror = Mirror(api_token())
    source()
    early, late = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            written("late", city="Gent")
            early.set()
            late.wait(30)
        connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    early.wait(30)
    written("soon", city="Ede")
    drain("changed")
    assert [entry["traits"]["city"] for entry in mirror.read()] == ["Ede"]
    late.set()
    thread.join(30)
    drain("changed")
    assert [entry["traits"]["city"] for entry in mirror.read()] == ["Gent"]
    assert mirror.read() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_a_copy_kept_by_the_feed_is_the_truth_after_any_concurrent_writing(api_token: Token, seed: int) -> None:
    mirror, stop, faults = Mirror(api_token()), threading.Event(), []
    source()

    def work(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        try:
            for _turn in range(12):
                with transaction.atomic():
                    act(chance)
                    time.sleep(chance.random() / 20)  # commits late
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            faults.append(error)
        finally:
            connections.close_all()

    def act(chance: random.Random) -> None:
        keys = [f"u{chance.randint(1, 12)}" for _ in range(2)]
        first = written(keys[0], n=chance.randint(0, 9))
        what = chance.random()
        if what < 0.2:
            send_quietly(keys, chance)
        elif what < 0.3:
            restrict_person(profile_id=first, restricted=chance.random() < 0.5)
        elif what < 0.36:
            remove_people([first])

    def sequence() -> None:
        try:
            while not stop.is_set():
                drain("changed", seconds=5)
                time.sleep(0.01)
        finally:
            connections.close_all()

    writers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    sequencer = threading.Thread(target=sequence)
    for thread in (*writers, sequencer):
        thread.start()
    while any(thread.is_alive() for thread in writers):
        mirror.read(limit=3)
    for thread in writers:
        thread.join(60)
    stop.set()
    sequencer.join(60)
    faults = [fault for fault in faults if "deadlock" not in str(fault)]
    assert not faults, faults
    drain("changed")
    mirror.read(limit=3)
    assert mirror.state() == truth()
    everything = Mirror(mirror.headers)
    ids = [entry["id"] for entry in everything.read(limit=3)]
    assert len(ids) == len(set(ids)), "a quiet walk gives everybody once"
    assert everything.state() == truth()


def send_quietly(keys: list[str], chance: random.Random) -> None:
    """Give a user id an address; refused when the address is another person's."""
    identifiers = [("user_id", keys[0]), ("email", f"{keys[1]}@shop.example")]
    try:
        upsert_person(row=PersonRow(identifiers=identifiers, traits={"m": chance.random()}), source=source())
    except CdpError as error:
        if error.status != 409:
            raise


@pytest.mark.django_db(transaction=True)
def test_everything_that_changes_a_person_is_in_the_feed(api_token: Token) -> None:
    mirror = Mirror(api_token())
    anna, bert, cees = (written(key, city="Gent") for key in ("anna", "bert", "cees"))
    uuids = {person.pk: str(person.uuid) for person in Profile.objects.all()}

    def news() -> list[str]:
        drain("changed")
        return [entry["id"] for entry in mirror.read()]

    assert set(news()) == set(uuids.values())
    send(source(), track("m0", userId="anna"))
    assert news() == [uuids[anna]], "known for longer than we knew"
    send(source(), track("m1", minute=5, userId="anna"))
    assert news() == [], "an event alone changes no record"
    send(source(), identify("m2", userId="anna", traits={"job": "baker"}))
    assert news() == [uuids[anna]]
    send(source(), track("m3", userId="anna", anonymousId="device"))
    assert news() == [uuids[anna]], "an identifier more"
    written("anna", city="Ede")
    news()
    say(Profile.objects.get(pk=bert), purpose("news"), "given")
    assert news() == [uuids[bert]]
    suppress_address(kind="user_id", value="cees", reason="manual", actor="test")
    assert news() == [uuids[cees]]
    lift_address(kind="user_id", value="cees", reasons=["manual"], actor="test", note="asked")
    assert news() == [uuids[cees]]
    segment("Everyone", {"type": "everyone"})
    assert set(news()) == set(uuids.values())
    guests = segments.create_list(name="Guests")
    segments.add_people(segment=guests, profile_ids=[bert], cause="hand", actor="test")
    assert news() == [uuids[bert]], "a list by hand is a segment too"
    restrict_person(profile_id=cees, restricted=True)
    assert news() == [uuids[cees]]
    merge_profiles(winner_id=anna, loser_id=bert)
    assert set(news()) == {uuids[anna], uuids[bert]}
    assert mirror.people[uuids[bert]]["merged_into_id"] == uuids[anna]
    assert mirror.people[uuids[bert]]["deleted"] is False
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM profiles_merge WHERE state = 'done' ORDER BY id DESC LIMIT 1")
        undo_merge(merge_id=cursor.fetchone()[0])
    assert set(news()) >= {uuids[anna], uuids[bert]}
    assert mirror.people[uuids[bert]]["merged_into_id"] is None
    erase_person(profile_id=bert, actor="system:test", reason="asked")
    assert uuids[bert] in news()
    assert mirror.people[uuids[bert]]["deleted"] is True
    remove_people([cees])
    assert news() == [uuids[cees]]
    assert mirror.people[uuids[cees]]["deleted"] is True
    assert PersonChange.objects.filter(gone=True).count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["updated_since=yesterday", "updated_since=2026-01-01T00:00:00Z&search=anna"])
def test_what_the_feed_does_not_take_is_refused(client: Client, api_token: Token, query: str) -> None:
    answer = client.get(f"/api/v1/profiles/?{query}", headers=api_token())
    assert answer.status_code == 400
    assert answer.json()["code"] in {"parameter_invalid", "unknown_parameter"}


@pytest.mark.django_db
def test_parts_come_when_asked_for_and_allowed(client: Client, api_token: Token) -> None:
    anna = Profile.objects.get(pk=written("anna", city="Gent", email="anna@shop.example"))
    say(anna, purpose("news"), "given")
    segment("Everyone", {"type": "everyone"})
    detail = client.get(f"/api/v1/profiles/{anna.uuid}/", headers=api_token()).json()
    assert [item["name"] for item in detail["segments"]] == ["Everyone"]
    (permission,) = detail["permissions"]
    assert (permission["purpose_id"], permission["state"], permission["basis"]) == ("news", "given", "consent")
    assert permission["allowed"] is True and permission["stated_at"].endswith("Z")
    (light,) = client.get("/api/v1/profiles/", headers=api_token()).json()["results"]
    assert not {"traits", "identifiers", "segments", "permissions"} & light.keys()
    (row,) = client.get("/api/v1/profiles/?include=segments,traits", headers=api_token()).json()["results"]
    assert row["segments"] and row["traits"]["city"] == "Gent" and "permissions" not in row
    wrong = client.get("/api/v1/profiles/?include=orders", headers=api_token())
    assert (wrong.status_code, wrong.json()["code"]) == (400, "unknown_parameter")
    masked = client.get("/api/v1/profiles/?include=identifiers,traits", headers=api_token("Analyst"))
    assert masked.status_code == 200 and "anna@" not in masked.content.decode()


def test_whoever_writes_who_is_in_a_segment_tells_the_feed() -> None:
    """A statement that notes a move in the history, and not for the feed, would leave copies elsewhere behind."""
    for module in (list_members, membership_diff):
        text = Path(module.__file__ or "").read_text()
        written = text.count("INSERT INTO segments_membershipchange")
        assert written and text.count("{NOTE}") + text.count("NOTE +") == written, module.__name__
