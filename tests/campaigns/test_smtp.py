"""The SMTP client against real sockets: every place where a conversation can break, and what we then claim."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.smtp import Patience, SendResult, SmtpSession, dot_stuffed


@dataclass
class FakeServer:
    """The settings that a session reads."""

    port: int
    host: str = "127.0.0.1"
    username: str = ""
    password: str = ""
    implicit_tls: bool = False
    start_tls: bool = False


@dataclass
class ScriptedServer:
    """A small SMTP server on a real socket that answers, or hangs up, as its script says."""

    script: dict[str, str]
    stored: list[bytes] = field(default_factory=list)
    connections: int = 0
    #: after so many messages a connection answers by `beyond`
    limit: int = 1_000
    beyond: dict[str, str] = field(default_factory=dict)

    def start(self) -> FakeServer:
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return FakeServer(port=self.listener.getsockname()[1])

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        stream = connection.makefile("rwb")
        taken = 0

        def answer(step: str, usual: str) -> bool:
            reply = self.beyond.get(step, usual) if taken >= self.limit else self.script.get(step, usual)
            if reply == "CUT":
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
                return False
            if reply == "HANG":
                threading.Event().wait(5)
                return False
            if reply == "TRICKLE":  # a reply of many lines that never ends
                for _number in range(50):
                    stream.write(b"250-wait\r\n")
                    stream.flush()
                    threading.Event().wait(0.1)
                return False
            stream.write(reply.encode() + b"\r\n")
            stream.flush()
            return True

        try:
            if not answer("banner", "220 ready"):
                return
            while line := stream.readline():
                verb = line.split()[0].upper().decode()
                if verb == "DATA":
                    if not answer("DATA", "354 go on"):
                        return
                    if self.script.get("DATA", "354").startswith("354"):
                        lines = []
                        while (text := stream.readline()) not in (b".\r\n", b""):
                            lines.append(text)
                        if text:
                            self.stored.append(b"".join(lines))
                        if not answer("DOT", "250 2.0.0 queued as 1"):
                            return
                        taken += 1
                elif not answer(verb, {"EHLO": "250 SIZE 1000000", "QUIT": "221 bye"}.get(verb, "250 ok")):
                    return
        except (OSError, ValueError):
            return


#: every phase gives up after a moment, so that a test of silence need not wait
SHORT = Patience(**dict.fromkeys(Patience.__dataclass_fields__, 0.4))


@contextmanager
def server(**script: str) -> Iterator[tuple[ScriptedServer, SmtpSession]]:
    """Run a scripted server and a session to it."""
    scripted = ScriptedServer(script)
    with SmtpSession(scripted.start(), patience=SHORT) as session:
        yield scripted, session
    scripted.listener.close()


MAIL = b"Subject: hello\r\n\r\nbody\r\n"


@pytest.mark.parametrize(
    ("script", "outcome", "phase", "stored"),
    [
        ({}, "sent", "done", 1),
        ({"banner": "CUT"}, "deferred", "greeting", 0),
        ({"banner": "421 busy"}, "deferred", "greeting", 0),
        ({"banner": "554 not today"}, "deferred", "greeting", 0),
        ({"EHLO": "451 later", "HELO": "451 later"}, "deferred", "hello", 0),
        ({"MAIL": "451 4.3.0 later"}, "deferred", "mail", 0),
        ({"RCPT": "450 4.2.0 greylisted"}, "deferred", "rcpt", 0),
        ({"RCPT": "421 4.3.2 closing"}, "deferred", "rcpt", 0),
        ({"RCPT": "550 5.1.1 no such user"}, "refused", "rcpt", 0),
        ({"DATA": "CUT"}, "deferred", "data", 0),
        ({"DATA": "554 5.7.1 no"}, "refused", "data", 0),
        ({"DOT": "552 5.3.4 too big"}, "refused", "dot", 1),
        ({"DOT": "451 4.3.0 later"}, "deferred", "dot", 1),
        ({"DOT": "CUT"}, "unknown", "dot", 1),
        ({"DOT": "HANG"}, "unknown", "dot", 1),
    ],
)
def test_each_break_has_its_own_outcome(script: dict[str, str], outcome: str, phase: str, stored: int) -> None:
    with server(**script) as (scripted, session):
        result = session.send("b@shop.example", "anna@example.org", MAIL)
    assert (result.outcome, result.phase) == (outcome, phase)
    assert len(scripted.stored) == stored


PIPELINING = {"EHLO": "250-ready\r\n250 PIPELINING"}


@pytest.mark.parametrize(
    ("script", "outcome", "phase", "stored"),
    [
        ({}, "sent", "done", 1),
        ({"MAIL": "451 4.3.0 later", "RCPT": "503 first MAIL", "DATA": "503 first RCPT"}, "deferred", "mail", 0),
        ({"MAIL": "CUT"}, "deferred", "mail", 0),
        ({"RCPT": "550 5.1.1 no such user", "DATA": "554 nobody"}, "refused", "rcpt", 0),
        ({"RCPT": "421 4.3.2 closing"}, "deferred", "rcpt", 0),
        ({"RCPT": "550 5.1.1 no such user", "DATA": "CUT"}, "refused", "rcpt", 0),
        ({"DATA": "CUT"}, "deferred", "data", 0),
        ({"DATA": "554 5.7.1 no"}, "refused", "data", 0),
        ({"DOT": "451 4.3.0 later"}, "deferred", "dot", 1),
        ({"DOT": "CUT"}, "unknown", "dot", 1),
    ],
)
def test_commands_sent_together_claim_no_more(script: dict[str, str], outcome: str, phase: str, stored: int) -> None:
    with server(**PIPELINING, **script) as (scripted, session):
        result = session.send("b@shop.example", "anna@example.org", MAIL)
    assert (result.outcome, result.phase) == (outcome, phase)
    assert len(scripted.stored) == stored


def test_a_body_that_nobody_will_get_is_not_sent() -> None:
    with server(**PIPELINING, RCPT="550 5.1.1 no such user") as (scripted, session):
        assert session.send("b@shop.example", "anna@example.org", MAIL).outcome == "refused"
        del scripted.script["RCPT"]
        assert session.send("b@shop.example", "tom@example.org", MAIL).outcome == "sent"
    assert scripted.stored == [b"", MAIL]
    assert scripted.connections == 1


def test_enhanced_status_is_read_from_the_reply() -> None:
    with server(RCPT="550 5.1.1 no such user") as (_scripted, session):
        assert session.send("b@shop.example", "anna@example.org", MAIL).enhanced == "5.1.1"


def test_one_refusal_does_not_cost_the_connection() -> None:
    with server(RCPT="550 5.1.1 no such user") as (scripted, session):
        session.send("b@shop.example", "anna@example.org", MAIL)
        scripted.script.clear()
        assert session.send("b@shop.example", "tom@example.org", MAIL).outcome == "sent"
    assert scripted.connections == 1


def test_a_lost_connection_is_opened_again_for_the_next_message() -> None:
    with server(DOT="CUT") as (scripted, session):
        assert session.send("b@shop.example", "anna@example.org", MAIL).outcome == "unknown"
        scripted.script.clear()
        assert session.send("b@shop.example", "tom@example.org", MAIL).outcome == "sent"
    assert scripted.connections == 2


def test_nobody_listening_is_deferred() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = SmtpSession(FakeServer(port=port)).send("b@shop.example", "anna@example.org", MAIL)
    assert (result.outcome, result.phase) == ("deferred", "connect")


def test_a_line_that_begins_with_a_dot_arrives_whole() -> None:
    with server() as (scripted, session):
        assert session.send("b@shop.example", "a@example.org", b"Subject: x\r\n\r\n.hidden\n.\nend").outcome == "sent"
    assert scripted.stored[0].endswith(b"\r\n..hidden\r\n..\r\nend\r\n")


@given(st.binary(max_size=200))
def test_dot_stuffing_never_lets_a_message_end_early(message: bytes) -> None:
    wire = dot_stuffed(message)
    assert wire.endswith(b"\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + wire
    unstuffed = b"".join(line[1:] if line.startswith(b".") else line for line in wire.splitlines(keepends=True))
    assert unstuffed.replace(b"\r\n", b"\n").rstrip(b"\n") == (
        message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")
    )


@pytest.mark.parametrize(
    ("script", "outcome", "phase"),
    [
        ({"banner": "HANG"}, "deferred", "greeting"),
        ({"EHLO": "HANG"}, "deferred", "hello"),
        ({"MAIL": "HANG"}, "deferred", "mail"),
        ({"RCPT": "HANG"}, "deferred", "rcpt"),
        ({"DATA": "HANG"}, "deferred", "data"),
        ({"DOT": "HANG"}, "unknown", "dot"),
        ({"banner": "TRICKLE"}, "deferred", "greeting"),
        ({"RCPT": "TRICKLE"}, "deferred", "rcpt"),
        ({"DOT": "TRICKLE"}, "unknown", "dot"),
    ],
)
def test_each_phase_has_its_own_time_even_for_a_server_that_trickles(
    script: dict[str, str], outcome: str, phase: str
) -> None:
    began = time.monotonic()
    with server(**script) as (_scripted, session):
        result = session.send("b@shop.example", "anna@example.org", MAIL)
        assert not session.busy
    assert (result.outcome, result.phase, result.silent) == (outcome, phase, True)
    assert "no answer" in result.reply and phase in result.reply
    assert time.monotonic() - began < 4  # the server itself would go on for five seconds


def test_the_time_of_a_whole_message_stays_below_two_minutes() -> None:
    given = Patience()
    assert given.dot + given.body <= 130 and given.dot <= 120
    # Nothing before the dot keeps a connection for longer than a drain's minute.
    assert all(getattr(given, name) <= 30 for name in Patience.__dataclass_fields__ if name != "dot")


LIMITS = {
    "421 at the next sender": {"MAIL": "421 4.7.0 too many messages in this connection"},
    "452 at the next sender": {"MAIL": "452 4.5.3 too many messages, open a new connection"},
    "closes at the next sender": {"MAIL": "CUT"},
    "421 at the recipient": {"RCPT": "421 4.7.0 enough"},
    "421 after the dot": {"DOT": "421 4.7.0 enough, not stored"},
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_of_messages_per_connection_is_met_by_a_new_connection_at_once(limit: str) -> None:
    with server() as (scripted, session):
        scripted.limit, scripted.beyond = 3, LIMITS[limit]
        results: list[SendResult] = [
            session.send("b@shop.example", f"reader-{number}@example.org", MAIL) for number in range(10)
        ]
    assert [result.outcome for result in results] == ["sent"] * 10
    assert scripted.connections == 4


@pytest.mark.parametrize("limit", LIMITS)
def test_a_server_that_turns_away_a_new_connection_too_is_in_trouble(limit: str) -> None:
    with server() as (scripted, session):
        scripted.limit, scripted.beyond = 0, LIMITS[limit]
        assert session.send("b@shop.example", "anna@example.org", MAIL).outcome == "deferred"
        assert scripted.connections == 1


def test_a_connection_lost_after_the_dot_is_never_tried_again_however_much_it_delivered() -> None:
    with server() as (scripted, session):
        scripted.limit, scripted.beyond = 2, {"DOT": "CUT"}
        outcomes = [session.send("b@shop.example", f"r{number}@example.org", MAIL).outcome for number in range(3)]
    assert outcomes == ["sent", "sent", "unknown"] and len(scripted.stored) == 3
