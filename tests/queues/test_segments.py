"""Segments: one that is slow, broken or busy keeps nobody else from being fresh."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from cdp.common.models import DeadLetter, QueueItem
from cdp.common.queue_items import put
from cdp.common.queues import queues
from profiles.models import Profile
from segments import membership, sweeping, touched
from segments.catalog_loader import known_catalog
from segments.models import Segment, TouchedProfile
from segments.rules.catalog import Catalog
from segments.rules.sql import members_sql
from tests.queues.running import hurry, run_scheduled, run_until_given_up
from tests.segments.factories import changed, event, happened, ids, members, person, segment, trait

pytestmark = pytest.mark.django_db
TOUCHED, REFRESH, SWEEP = "segments.process_touched", "segments.refresh", "segments.sweep"
SLOW = "(SELECT pg_sleep(60)) IS NOT NULL"


def fail(state: str) -> str:
    """Return a condition that raises an error of that SQLSTATE."""
    return f"pg_temp.fail('{state}')"


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that adds a condition to every rule that looks at the trait `spoilt`."""
    conditions: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.fail(state text) RETURNS boolean LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'secret@example.org' USING errcode = state; END $$"
        )

    def spoilt_sql(rule: Any, *rest: Any, **options: Any) -> Any:
        text, params = members_sql(rule, *rest, **options)
        if conditions and "spoilt" in repr(rule):
            text = f"SELECT id FROM ({text}) AS found WHERE {conditions[-1]}"
        return text, params

    def put(condition: str) -> None:
        conditions.append(condition)
        seconds = 1 if condition == SLOW else 60  # little enough to see it end, enough for a busy machine
        for module, name in ((touched, "SEGMENT"), (sweeping, "SWEEP"), (membership, "REFRESH")):
            monkeypatch.setattr(module, f"{name}_SECONDS", seconds)

    monkeypatch.setattr(membership, "members_sql", spoilt_sql)
    return put


def three() -> tuple[Segment, Segment, Segment]:
    """Return segments of which the second is the one that is spoilt."""
    person(traits={"spoilt": 1, "plan": "x"})
    return (
        segment("First", {"type": "everyone"}),
        segment("Spoilt", trait("spoilt", "is", 1)),
        segment("Last", trait("plan", "is", "x")),
    )


def state(row: Segment) -> tuple[str, bool]:
    """Return the state of a segment and whether it is behind."""
    row.refresh_from_db()
    return row.status, row.behind_since is not None


@pytest.mark.parametrize("condition", [SLOW, fail("XX000"), fail("53200")])
def test_one_segment_that_fails_is_put_aside_and_the_others_are_fresh(
    spoil: Callable[[str], None], condition: str
) -> None:
    first, spoilt, last = three()
    spoil(condition)
    somebody = person(traits={"spoilt": 1, "plan": "x"})
    changed(somebody)
    run_scheduled(TOUCHED)
    assert somebody.pk in members(first) & members(last)
    assert state(spoilt) == ("live", True)
    assert not TouchedProfile.objects.exists()
    run_scheduled(REFRESH)
    assert state(spoilt) == ("live", True), "the refresh failed as well: it is tried again"
    assert "secret" not in QueueItem.objects.get(queue="segments_refresh").error
    later = person(traits={"spoilt": 1})
    changed(later)
    run_scheduled(TOUCHED)  # does not try it again
    spoil("true")
    QueueItem.objects.update(due_at=timezone.now() - timedelta(hours=1))
    run_scheduled(REFRESH)
    assert state(spoilt) == ("live", False)
    assert {somebody.pk, later.pk} <= members(spoilt)


def test_a_refresh_that_always_fails_is_a_dead_letter_and_new_segments_do_not_wait(
    spoil: Callable[[str], None],
) -> None:
    _first, spoilt, _last = three()
    before = members(spoilt)
    spoil(SLOW)
    changed(person(traits={"spoilt": 1}))
    run_scheduled(TOUCHED)
    made = segment("New", {"type": "everyone"}, refresh=False)
    run_scheduled(REFRESH)
    assert members(made)
    run_until_given_up(REFRESH)
    letter = DeadLetter.objects.get()
    assert (letter.queue, letter.key, letter.reason) == ("segments_refresh", str(spoilt.pk), "timeout")
    assert (members(spoilt), state(spoilt)) == (before, ("live", True)), "it keeps its members, and says it is behind"
    assert queues.get("segments_refresh").measure() == (0, None)
    spoil("true")
    DeadLetter.objects.update(last_tried_at=timezone.now() - timedelta(hours=2))
    run_scheduled(REFRESH)
    assert state(spoilt) == ("live", False), "what was given up is tried again hourly"
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("code", ["40P01", "40001", "55P03", "57014"])
def test_losing_a_race_or_time_breaks_no_segment(spoil: Callable[[str], None], code: str) -> None:
    first, spoilt, _last = three()
    spoil(fail(code))
    somebody = person(traits={"spoilt": 1})
    changed(somebody)
    run_scheduled(TOUCHED)
    run_scheduled(REFRESH)
    assert somebody.pk in members(first)
    assert state(spoilt)[0] == "live"
    spoil("true")
    TouchedProfile.objects.update(due_at=None)
    QueueItem.objects.update(due_at=timezone.now() - timedelta(hours=1))
    run_scheduled(TOUCHED)
    run_scheduled(REFRESH)
    assert somebody.pk in members(spoilt)


def test_a_broken_segment_heals_by_the_schedule_with_those_that_build_on_it(spoil: Callable[[str], None]) -> None:
    _first, spoilt, _last = three()
    above = segment("Above", {"type": "member", "segment": spoilt.pk})
    top = segment("Top", {"type": "not", "child": {"type": "member", "segment": above.pk}})
    spoil(fail("22012"))
    changed(person(traits={"spoilt": 1}))
    run_scheduled(TOUCHED)
    run_scheduled(REFRESH)
    assert [state(row)[0] for row in (spoilt, above, top)] == ["broken"] * 3
    assert not members(spoilt) | members(above) | members(top)
    spoil("true")
    run_scheduled(REFRESH)
    assert state(spoilt)[0] == "broken", "it was tried just now"
    Segment.objects.filter(pk=spoilt.pk).update(refreshed_at=timezone.now() - timedelta(minutes=11))
    run_scheduled(REFRESH)
    assert [state(row)[0] for row in (spoilt, above, top)] == ["live"] * 3
    assert members(spoilt) == members(above) and members(spoilt)


def test_nobody_comes_into_a_segment_that_broke_in_the_same_look(spoil: Callable[[str], None]) -> None:
    _first, spoilt, _last = three()
    above = segment("Above", {"type": "not", "child": {"type": "member", "segment": spoilt.pk}})
    Profile.objects.update(traits={})
    Segment.objects.filter(pk=spoilt.pk).update(status="broken")
    changed(person())
    run_scheduled(TOUCHED)
    assert state(above)[0] == "broken" and not members(above)


def test_a_sweep_that_fails_leaves_the_others_swept_and_reads_the_rules_once(
    spoil: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = person(traits={"spoilt": 1})
    happened(somebody, "Visit", timezone.now() - timedelta(days=6, hours=23, minutes=59))
    window = event("Visit", window={"kind": "last", "days": 7})
    spoilt = segment("Spoilt", {"type": "all", "children": [trait("spoilt", "is", 1), window]})
    others = [segment(f"Other {number}", window) for number in range(3)]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE profiles_interaction SET occurred_at = occurred_at - interval '1 hour'")
    Segment.objects.update(swept_at=timezone.now() - timedelta(hours=1))
    spoil(SLOW)
    reads = []

    def load() -> Catalog:
        reads.append(1)
        return known_catalog()

    monkeypatch.setattr(sweeping, "known_catalog", load)
    run_scheduled(SWEEP)
    assert [members(row) for row in others] == [set()] * 3
    assert state(spoilt) == ("live", True)
    assert len(reads) == 1
    run_scheduled(SWEEP)
    assert queues.get("segments_sweep").measure() == (0, None)


@pytest.mark.django_db(transaction=True)
def test_looks_go_round_a_segment_under_refresh_and_come_back_to_it() -> None:
    busy, free = segment("Busy", {"type": "everyone"}), segment("Free", {"type": "everyone"})
    somebody = person()
    changed(somebody)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            membership.lock_segment(busy.pk)
            held.set()
            release.wait(20)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    QueueItem.objects.filter(queue="segments_refresh", key=busy.pk).update(holder=1)
    run_scheduled(TOUCHED)
    assert (members(free), members(busy)) == ({somebody.pk}, set())
    row = TouchedProfile.objects.get()
    assert (row.profile_id, row.segment_id) == (somebody.pk, busy.pk) and row.due_at is not None
    release.set()
    holder.join()
    touched.release_waiting(busy.pk)
    run_scheduled(TOUCHED)
    assert members(busy) == {somebody.pk}
    assert not TouchedProfile.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_touches_sweeps_and_refreshes_at_once_give_what_a_refresh_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, "segments_touched", slots=3)
    monkeypatch.setattr(touched, "BLOCK", 7)
    people = [person(traits={"plan": "pro"}) for _ in range(40)]
    happened(people[0], "Visit", timezone.now())
    rows = [
        segment("Pro", trait("plan", "is", "pro")),
        segment("Not pro", trait("plan", "is_not", "pro")),
        segment("Everyone", {"type": "everyone"}),
        segment("Visit", event("Visit", window={"kind": "last", "days": 7})),
    ]
    stop, errors = threading.Event(), []

    def run(task: str, pause: float) -> None:
        try:
            while not stop.wait(pause):
                Segment.objects.update(swept_at=timezone.now() - timedelta(minutes=1))
                if task == REFRESH:
                    queue_all()
                run_scheduled(task)
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            errors.append(error)
        finally:
            connection.close()

    def queue_all() -> None:
        put("segments_refresh", [row.pk for row in rows])

    workers = [(TOUCHED, 0.001)] * 3 + [(SWEEP, 0.02), (REFRESH, 0.03), (REFRESH, 0.05)]
    threads = [threading.Thread(target=run, args=worker) for worker in workers]
    for thread in threads:
        thread.start()
    chance = random.Random(5)
    for _step in range(150):
        profile = chance.choice(people)
        with transaction.atomic():
            Profile.objects.filter(pk=profile.pk).update(traits={"plan": chance.choice(["pro", "free"])})
            if chance.random() < 0.2:
                happened(profile, "Visit", timezone.now())
            changed(profile)
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    TouchedProfile.objects.update(due_at=None)
    run_scheduled(TOUCHED)
    run_scheduled(REFRESH)
    kept = [members(row) for row in rows]
    for row, found in zip(rows, kept, strict=True):
        row.refresh_from_db()
        assert (row.status, row.member_count) == ("live", len(found))
        membership.refresh_segment(row.pk)
        assert members(row) == found, row.name
    assert kept[2] == ids(people)
