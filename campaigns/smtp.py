"""Hand one message to an SMTP server and say what became of it, including "nobody can know".

A connection that dies before the body was sent and one that dies after the final dot raise the same exception in
smtplib, yet the first must be retried and the second never: the server may hold the message. So this client notes
how far the conversation came, and answers `unknown` for the second. RFC 5321 (section 4.5.3.2.6) would wait ten minutes
after the dot; here a message holds its connection for at most two, and other connections go on meanwhile.
"""

from __future__ import annotations

import io
import re
import smtplib
import socket
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, Literal, Protocol

#: lines that begin with a dot get one more (RFC 5321, section 4.5.2); line ends become CRLF
_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"(?m)^\.")

#: our own answer: asking a server without the extension would end in a syntax error (RFC 6531, section 3.5)
_NO_SMTPUTF8 = "5.6.7 the mail server takes no address with letters beyond ASCII (it does not offer SMTPUTF8)"

Outcome = Literal["sent", "deferred", "refused", "unknown"]
Phase = Literal["connect", "greeting", "hello", "tls", "login", "mail", "rcpt", "data", "body", "dot", "done"]
Commands = tuple[tuple[Phase, str, tuple[int, ...]], ...]
#: phases before the server knows of any message
OPENING: frozenset[Phase] = frozenset({"connect", "greeting", "hello", "tls", "login"})


class Server(Protocol):
    """What is known of the mail server (see cdp.environment.MailServer)."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def implicit_tls(self) -> bool: ...
    @property
    def start_tls(self) -> bool: ...


@dataclass(frozen=True)
class Patience:
    """Seconds that each phase may take in all; a server that trickles a byte now and then gains nothing by it."""

    connect: float = 10
    greeting: float = 20
    hello: float = 10
    tls: float = 15
    login: float = 20
    mail: float = 20
    rcpt: float = 20
    data: float = 20
    body: float = 30
    dot: float = 100
    goodbye: float = 2


@dataclass(frozen=True)
class SendResult:
    """What became of one message.

    `code` is the SMTP reply code, 0 when there was none; `silent` tells that the server let its time run out.
    """

    outcome: Outcome
    code: int
    reply: str
    phase: Phase
    silent: bool = False

    @property
    def enhanced(self) -> str:
        """Return the enhanced status code of the reply, such as 5.1.1 (RFC 3463); empty when it has none."""
        match = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", self.reply)
        return match[1] if match else ""

    @property
    def opening(self) -> bool:
        """Tell whether the conversation ended before any message was spoken of."""
        return self.phase in OPENING


class _Client(smtplib.SMTP):
    """smtplib with a deadline over a whole reply; its own time-out begins anew with every packet."""

    deadline = float("inf")

    def opened(self, sock: socket.socket, host: str) -> None:
        """Take over a connected socket; `host` is the name that TLS is checked against."""
        self.sock, self.file = sock, None
        self._host = host  # private in smtplib, and the only way to a deferred connect

    def within(self, seconds: float) -> None:
        """Allow so many seconds for what follows, in all."""
        self.deadline = time.monotonic() + seconds
        if self.sock is not None:
            self.sock.settimeout(seconds)

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply until the deadline."""
        if self.file is None:
            self.file = io.BufferedReader(_Incoming(self))
        return super().getreply()


class _Incoming(io.RawIOBase):
    """What the server sends, until the client's deadline."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._client.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        assert self._client.sock is not None
        self._client.sock.settimeout(left)
        return self._client.sock.recv_into(buffer)


class SmtpSession:
    """A connection that is opened when needed and kept for many messages; use from one thread at a time."""

    def __init__(self, server: Server, *, patience: Patience | None = None) -> None:
        self.server = server
        self.patience = patience or Patience()
        #: whether a message is being handed over, and when the last one was begun; read by other threads
        self.busy = False
        self.began_at = float("-inf")
        self._smtp: _Client | None = None
        self._phase: Phase = "connect"
        self._phase_began = 0.0
        self._delivered = 0  # on this connection

    def __enter__(self) -> SmtpSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def phase(self) -> Phase:
        """Return how far the present conversation came."""
        return self._phase

    def close(self) -> None:
        """Say goodbye; a server that is gone is no error."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                smtp.within(self.patience.goodbye)
                smtp.quit()
            except (OSError, smtplib.SMTPException):
                smtp.close()

    def send(self, envelope_from: str, to: str, message_bytes: bytes) -> SendResult:
        """Hand one message over; never raise for what the server or the network does."""
        self.busy, self.began_at = True, time.monotonic()
        try:
            delivered = self._delivered if self._smtp is not None else 0
            result = self._attempt(envelope_from, to, message_bytes)
            if delivered and _connection_used_up(result):
                self.close()
                result = self._attempt(envelope_from, to, message_bytes)
            return result
        finally:
            self.busy = False

    def _attempt(self, envelope_from: str, to: str, message_bytes: bytes) -> SendResult:
        self._reached("connect")
        try:
            smtp = self._connected()
            if not (envelope_from + to).isascii() and not smtp.has_extn("smtputf8"):
                return SendResult("refused", 0, _NO_SMTPUTF8, "rcpt")
            commands = self._commands(smtp, envelope_from, to, len(message_bytes))
            phase, code, reply = self._open(smtp, commands)
            if code != 354:
                return self._refusal(smtp, code, reply, phase)
            body = dot_stuffed(message_bytes)
            assert smtp.sock is not None
            # All but the last line first: a cut here cannot have delivered anything, as the dot was not sent.
            self._reached("body", smtp)
            smtp.sock.sendall(body)
            self._reached("dot", smtp)
            smtp.sock.sendall(b".\r\n")
            code, reply = smtp.getreply()
            if code != 250:
                return self._refusal(smtp, code, reply, "dot")
            self._delivered += 1
            return SendResult("sent", code, _text(reply), "done")
        except smtplib.SMTPResponseException as error:
            self._drop()
            code = int(error.smtp_code)
            # No greeting is a reason to give up on a server: 554 there means "not today" (RFC 5321, section 3.1).
            outcome: Outcome = "deferred" if 400 <= code < 500 or self._phase == "greeting" else "refused"
            return SendResult(outcome, code, _text(error.smtp_error), self._phase)
        except (OSError, smtplib.SMTPException) as error:
            return self._broken(error)

    def _broken(self, error: Exception) -> SendResult:
        """Return what a lost or silent connection means at the point that was reached."""
        self._drop()
        allowed = getattr(self.patience, self._phase)
        silent = time.monotonic() - self._phase_began >= allowed
        reply = f"no answer within {allowed:.0f} s ({self._phase})" if silent else str(error)[:300]
        return SendResult("unknown" if self._phase == "dot" else "deferred", 0, reply, self._phase, silent)

    def _reached(self, phase: Phase, smtp: _Client | None = None) -> None:
        """Note how far the conversation came: it decides what a broken connection means; and start its clock."""
        self._phase = phase
        self._phase_began = time.monotonic()
        if smtp is not None:
            smtp.within(getattr(self.patience, phase))

    def _open(self, smtp: _Client, commands: Commands) -> tuple[Phase, int, bytes]:
        """Say the commands before the body; return the first refusal, or the yes to DATA, with its phase.

        A server that offers PIPELINING gets all three at once (RFC 2920): one round trip instead of three. The body
        waits for the reply to DATA either way, so what a broken connection means does not change.
        """
        together = smtp.has_extn("pipelining")
        if together:
            self._reached(commands[0][0], smtp)
            smtp.send("".join(f"{command}\r\n" for _phase, command, _yes in commands))
        for number, (phase, command, yes) in enumerate(commands):
            self._reached(phase, smtp)
            if not together:
                smtp.send(f"{command}\r\n")
            code, reply = smtp.getreply()
            if code not in yes:
                if together and code not in (421, -1):
                    self._hear_out(smtp, len(commands) - number - 1)
                return phase, code, reply
        return phase, code, reply

    def _hear_out(self, smtp: _Client, replies: int) -> None:
        """Read what else was answered to commands sent together; a connection lost here takes no refusal back."""
        try:
            code = 0
            for _number in range(replies):
                code, _reply = smtp.getreply()
            if code == 354:
                # The server waits for a body that has nobody to go to: a lone dot ends it (RFC 2920, section 3.1).
                smtp.send(".\r\n")
                smtp.getreply()
        except (OSError, smtplib.SMTPException):
            self._drop()

    def _connected(self) -> _Client:
        if self._smtp is not None:
            return self._smtp
        server = self.server
        smtp = _Client(local_hostname=_own_name())
        try:
            self._reached("connect")
            sock = socket.create_connection((server.host, server.port), self.patience.connect)
            smtp.opened(sock, server.host)
            if server.implicit_tls:
                self._reached("tls", smtp)
                smtp.opened(_tls().wrap_socket(sock, server_hostname=server.host), server.host)
            self._reached("greeting", smtp)
            code, reply = smtp.getreply()
            if code != 220:
                raise smtplib.SMTPConnectError(code, reply)
            self._hello(smtp)
            if server.start_tls:
                self._reached("tls", smtp)
                smtp.starttls(context=_tls())
                self._hello(smtp)
            if server.username:
                self._reached("login", smtp)
                smtp.login(server.username, server.password)
        except BaseException:
            smtp.close()
            raise
        assert smtp.sock is not None
        # The dot goes as its own small packet; without this it would wait for the acknowledgement of the body.
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._smtp, self._delivered = smtp, 0
        return smtp

    def _hello(self, smtp: _Client) -> None:
        self._reached("hello", smtp)
        smtp.ehlo_or_helo_if_needed()

    @staticmethod
    def _commands(smtp: _Client, envelope_from: str, to: str, size: int) -> Commands:
        """Return what is said before the body: (phase, command, replies that mean yes)."""
        options = [""]
        if smtp.has_extn("size"):
            options.append(f"SIZE={size}")
        if smtp.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        if smtp.has_extn("smtputf8") and not (envelope_from + to).isascii():
            options.append("SMTPUTF8")
            smtp.command_encoding = "utf-8"
        else:
            smtp.command_encoding = "ascii"
        mail, rcpt = f"MAIL FROM:{smtplib.quoteaddr(envelope_from)}", f"RCPT TO:{smtplib.quoteaddr(to)}"
        if "\r" in mail + rcpt or "\n" in mail + rcpt:
            raise ValueError("an address holds a line end")
        return (
            ("mail", mail + " ".join(options), (250,)),
            ("rcpt", rcpt, (250, 251)),
            ("data", "DATA", (354,)),
        )

    def _refusal(self, smtp: _Client, code: int, reply: bytes, phase: Phase) -> SendResult:
        """Turn an SMTP refusal into a result and make the connection fit for the next message."""
        if code in (421, -1):
            self._drop()
            # A server that closes right after our dot may have stored the message, unless it said 421: it did not.
            outcome: Outcome = "unknown" if code == -1 and phase == "dot" else "deferred"
            return SendResult(outcome, max(code, 0), _text(reply), phase)
        try:
            if self._smtp is not None:
                smtp.rset()
        except (OSError, smtplib.SMTPException):
            self._drop()
        return SendResult("deferred" if 400 <= code < 500 else "refused", code, _text(reply), phase)

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


@lru_cache(maxsize=1)
def _own_name() -> str:
    # Asked of the name server, without a time-out: once a process, not for every connection.
    return socket.getfqdn()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def dot_stuffed(message: bytes) -> bytes:
    """Return the message as it goes over the wire after DATA, up to and not including the final dot."""
    body = message
    if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        body = _LINE_END.sub(b"\r\n", body)
    if body.startswith(b".") or b"\n." in body:
        body = _LEADING_DOT.sub(b"..", body)
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _text(reply: bytes | str) -> str:
    return (reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply))[:500]


def _connection_used_up(result: SendResult) -> bool:
    """Tell whether the server merely ended a connection that had done its share, as many do after so many messages.

    It says 421, or puts the next sender off, or just closes; nothing of the message was taken. On a new connection the
    same message goes at once: this is the server's rule for connections, no trouble with it or with the message.
    """
    if result.outcome != "deferred" or result.opening or result.silent:
        return False
    return result.code in (0, 421) or result.phase == "mail"
