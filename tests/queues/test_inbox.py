"""The inbox: whatever one body is or does, the others are people within the same run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from cdp.common.dead_letters import retry_dead_letter
from cdp.common.models import DeadLetter
from profiles import changes
from profiles.messages import reading
from profiles.models import InboxEntry, Interaction, RejectedMessage
from profiles.processing import block
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
