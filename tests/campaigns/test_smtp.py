"""The SMTP client against real sockets: every place where a conversation can break, and what we then claim."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.smtp import SmtpSession, dot_stuffed


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

        def answer(step: str, usual: str) -> bool:
            reply = self.script.get(step, usual)
            if reply == "CUT":
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
                return False
            if reply == "HANG":
                threading.Event().wait(5)
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
                elif not answer(verb, {"EHLO": "250 SIZE 1000000", "QUIT": "221 bye"}.get(verb, "250 ok")):
                    return
        except (OSError, ValueError):
            return


@contextmanager
def server(**script: str) -> Iterator[tuple[ScriptedServer, SmtpSession]]:
    """Run a scripted server and a session to it."""
    scripted = ScriptedServer(script)
    with SmtpSession(scripted.start(), after_dot_seconds=0.5) as session:
        yield scripted, session
    scripted.listener.close()


MAIL = b"Subject: hello\r\n\r\nbody\r\n"


@pytest.mark.parametrize(
    ("script", "outcome", "phase", "stored"),
    [
        ({}, "sent", "done", 1),
        ({"banner": "CUT"}, "deferred", "connect", 0),
        ({"banner": "421 busy"}, "deferred", "connect", 0),
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
