"""The inbox: whatever one body is or does, the others are people within the same run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from cdp.common.dead_letters import retry_dead_letter
from cdp.common.models import DeadLetter
from cdp.common.queues import drain
from profiles import changes
from profiles.messages import reading
from profiles.models import InboxEntry, Interaction, RejectedMessage
from profiles.processing import block
from tests.live import REPOSITORY, process_environment
from tests.profiles.processing.inbox import put, source, track
from tests.queues.running import hurry, run_scheduled, run_until_given_up

pytestmark = pytest.mark.django_db
INBOX = "profiles.process_inbox"


def put_raw(origin_id: int, body: bytes, endpoint: str = "batch") -> int:
    """Store a body as it is, as the collector does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH raw AS (INSERT INTO profiles_rawmessage (received_at, source_id, endpoint, body) "
            "VALUES (now(), %s, %s, %s) RETURNING id, received_at, source_id) "
            "INSERT INTO profiles_inbox (raw_id, received_at, source_id, attempts) "
            "SELECT id, received_at, source_id, 0 FROM raw RETURNING raw_id",
            [origin_id, endpoint, body],
        )
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("endpoint", ["batch", "track"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"type": []}',
        b'{"type": {}}',
        b'{"batch": [{"type": []}]}',
        b"",
        b"\xff\xfe",
        b"[" * 20_000,
        b'{"batch": 1e999}',
        b'{"batch": [{"type": "track", "event": {"a": 1}, "userId": [1], "timestamp": {}, "context": 7}]}',
    ],
)
def test_no_body_stops_those_behind_it(body: bytes, endpoint: str) -> None:
    origin = source("browser")
    put_raw(origin.pk, body, endpoint)
    put(origin, [track("m1", userId="u1")])
    run_scheduled(INBOX)
    assert Interaction.objects.count() == 1
    run_until_given_up(INBOX)
    assert not InboxEntry.objects.exists()
    assert RejectedMessage.objects.count() + DeadLetter.objects.count() == 1


def test_a_body_whose_reading_fails_is_a_dead_letter_that_can_be_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    read = reading.read_body

    def fail(body: bytes, *rest: Any) -> Any:
        if b"broken" in body:
            raise RecursionError("secret@example.org")
        return read(body, *rest)

    monkeypatch.setattr(block, "read_body", fail)
    origin = source()
    bad = put_raw(origin.pk, json.dumps({"batch": [track("broken", userId="u9")]}).encode())
    for number in range(200):
        put(origin, [track(f"m{number}", userId=f"u{number}")])
    run_scheduled(INBOX)
    assert Interaction.objects.count() == 200
    run_until_given_up(INBOX)
    letter = DeadLetter.objects.get()
    assert (letter.queue, letter.key, letter.reason, letter.attempts) == ("inbox", str(bad), "error", 5)
    assert "RecursionError" in letter.error and "secret" not in letter.error
    monkeypatch.undo()
    retry_dead_letter(letter_id=letter.pk)
    run_scheduled(INBOX)
    assert Interaction.objects.filter(message_id="broken").exists()


def test_a_statement_that_takes_too_long_harms_its_own_event_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(change: changes.Change) -> None:
        if any(item.name == "Slow" for item in change.interactions):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(60)")

    monkeypatch.setitem(changes.change_handlers._items, "test.sleep", sleep)
    monkeypatch.setattr("profiles.processing.drain.TRIAL_SECONDS", 0.4)
    hurry(monkeypatch, "inbox", item_seconds=1)
    origin = source()
    put(origin, [track("a", userId="a"), track("b", "Slow", userId="b"), track("c", userId="c")])
    for number in range(9):
        put(origin, [track(f"m{number}", userId=f"u{number}")])
    run_scheduled(INBOX)
    assert Interaction.objects.count() == 9, "the neighbours do not wait for the slow one's second try"
    run_until_given_up(INBOX)
    assert Interaction.objects.count() == 11
    assert RejectedMessage.objects.get().message_id == "b"
    assert not InboxEntry.objects.exists() and not DeadLetter.objects.exists()


def break_statement() -> Exception | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    return None


ERRORS: dict[str, Callable[[], Exception | None]] = {
    "value": lambda: ValueError("secret"),
    "recursion": lambda: RecursionError(),
    "memory": lambda: MemoryError(),
    "statement": break_statement,
}
PLACES = ["read_bodies", "drop_known", "store_items", "resolve", "announce", "_interactions"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("place", PLACES)
def test_an_exception_anywhere_harms_one_body(place: str, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever part of the processing fails for one item, in whatever way, all others are stored."""
    original: Any = getattr(block, place)

    def fail(*args: Any, **options: Any) -> Any:
        if "Poison" in repr(args):
            raised = ERRORS[error]()
            if raised is not None:
                raise raised
        return original(*args, **options)

    monkeypatch.setattr(block, place, fail)
    monkeypatch.setattr("profiles.processing.drain.read_bodies", block.read_bodies)
    origin = source()
    for number in range(20):
        event = "Poison" if number == 13 else "Seen"
        put(origin, [track(f"m{number}", event, userId=f"{event}{number}"), track(f"n{number}", userId=f"v{number}")])
    run_scheduled(INBOX)
    run_until_given_up(INBOX)
    stored = set(Interaction.objects.values_list("message_id", flat=True))
    expected = {f"{letter}{number}" for letter in "mn" for number in range(20)} - {"m13"}
    assert stored in (expected, expected - {"n13"}), "its own body at most"
    assert not InboxEntry.objects.exists()
    assert RejectedMessage.objects.count() + DeadLetter.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_blames_no_body(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(_change: changes.Change) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setitem(changes.change_handlers._items, "test.cut", cut)
    put(source(), [track("m1", userId="u1")])
    with pytest.raises(Exception, match="terminat|closed"):
        run_scheduled(INBOX)
    assert InboxEntry.objects.get().attempts == 0
    monkeypatch.delitem(changes.change_handlers._items, "test.cut")
    run_scheduled(INBOX)
    assert Interaction.objects.count() == 1


KILLER = """
import os, django
django.setup()
from profiles import changes
from cdp.common.queues import drain
def die(change):
    if any(item.name == "Killer" for item in change.interactions):
        os._exit(9)
changes.change_handlers.add("test.die", die)
drain("inbox")
"""


@pytest.mark.django_db(transaction=True)
def test_a_body_that_kills_its_workers_harms_itself_alone() -> None:
    origin = source()
    for number in range(12):
        put(origin, [track(f"m{number}", "Killer" if number == 9 else "Seen", userId=f"u{number}")])
    codes: list[int] = []
    while Interaction.objects.count() < 11 and len(codes) < 6:
        command = [sys.executable, "-c", KILLER]
        codes.append(subprocess.run(command, cwd=REPOSITORY, env=process_environment(8231), check=False).returncode)
    assert codes == [9, 9, 9, 0]
    row = InboxEntry.objects.get()
    assert row.due_at is not None
    put(origin, [track("later", userId="later")])
    drain("inbox")
    assert Interaction.objects.filter(message_id="later").exists()
