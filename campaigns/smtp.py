"""Hand one message to an SMTP server and say what became of it, including "nobody can know".

A connection that dies before the body was sent and one that dies after the final dot raise the same exception in
smtplib, yet the first must be retried and the second never: the server may hold the message. So this client notes
how far the conversation came, and answers `unknown` for the second (RFC 5321, section 4.5.3.2.6 asks ten minutes'
patience after the dot, for the same reason).
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol

CONNECT_SECONDS = 30
COMMAND_SECONDS = 60
AFTER_DOT_SECONDS = 600
#: lines that begin with a dot get one more (RFC 5321, section 4.5.2); line ends become CRLF
_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"(?m)^\.")

#: said by us: asking a server without the extension would be answered by a syntax error (RFC 6531, section 3.5)
_NO_SMTPUTF8 = "5.6.7 the mail server takes no address with letters beyond ASCII (it does not offer SMTPUTF8)"

Outcome = Literal["sent", "deferred", "refused", "unknown"]
Phase = Literal["connect", "mail", "rcpt", "data", "dot", "done"]
Commands = tuple[tuple[Phase, str, tuple[int, ...]], ...]


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
class SendResult:
    """What became of one message. `code` is the SMTP reply code, 0 when there was none."""

    outcome: Outcome
    code: int
    reply: str
    phase: Phase

    @property
    def enhanced(self) -> str:
        """Return the enhanced status code of the reply, such as 5.1.1 (RFC 3463); empty when it has none."""
        match = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", self.reply)
        return match[1] if match else ""


class SmtpSession:
    """A connection that is opened when needed and kept for many messages; use from one thread at a time."""

    def __init__(self, server: Server, *, after_dot_seconds: float = AFTER_DOT_SECONDS) -> None:
        self.server = server
        self.after_dot_seconds = after_dot_seconds
        self._smtp: smtplib.SMTP | None = None
        self._phase: Phase = "connect"

    def __enter__(self) -> SmtpSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye; a server that is gone is no error."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                smtp.quit()
            except (OSError, smtplib.SMTPException):
                smtp.close()

    def send(self, envelope_from: str, to: str, message_bytes: bytes) -> SendResult:
        """Hand one message over; never raise for what the server or the network does."""
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
            smtp.sock.sendall(body)
            self._reached("dot")
            smtp.sock.settimeout(self.after_dot_seconds)
            smtp.sock.sendall(b".\r\n")
            code, reply = smtp.getreply()
            smtp.sock.settimeout(COMMAND_SECONDS)
            if code != 250:
                return self._refusal(smtp, code, reply, "dot")
            return SendResult("sent", code, _text(reply), "done")
        except smtplib.SMTPConnectError as error:
            self._drop()
            return SendResult("deferred", int(error.smtp_code), _text(error.smtp_error), self._phase)
        except smtplib.SMTPAuthenticationError as error:
            self._drop()
            return SendResult("refused", int(error.smtp_code), _text(error.smtp_error), "connect")
        except smtplib.SMTPResponseException as error:
            self._drop()
            outcome: Outcome = "deferred" if 400 <= int(error.smtp_code) < 500 else "refused"
            return SendResult(outcome, int(error.smtp_code), _text(error.smtp_error), self._phase)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return SendResult("unknown" if self._phase == "dot" else "deferred", 0, str(error)[:300], self._phase)

    def _reached(self, phase: Phase) -> None:
        """Note how far the conversation came: it decides what a broken connection means."""
        self._phase = phase

    def _open(self, smtp: smtplib.SMTP, commands: Commands) -> tuple[Phase, int, bytes]:
        """Say the commands before the body; return the first refusal, or the yes to DATA, with its phase.

        A server that offers PIPELINING gets all three at once (RFC 2920): one round trip instead of three. The body
        waits for the reply to DATA either way, so what a broken connection means does not change.
        """
        together = smtp.has_extn("pipelining")
        if together:
            smtp.send("".join(f"{command}\r\n" for _phase, command, _yes in commands))
        for number, (phase, command, yes) in enumerate(commands):
            self._reached(phase)
            if not together:
                smtp.send(f"{command}\r\n")
            code, reply = smtp.getreply()
            if code not in yes:
                if together and code not in (421, -1):
                    self._hear_out(smtp, len(commands) - number - 1)
                return phase, code, reply
        return phase, code, reply

    def _hear_out(self, smtp: smtplib.SMTP, replies: int) -> None:
        """Read what else was said to commands sent together; a connection lost here takes no refusal back."""
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

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is not None:
            return self._smtp
        server = self.server
        context = ssl.create_default_context()
        smtp: smtplib.SMTP = (
            smtplib.SMTP_SSL(timeout=CONNECT_SECONDS, context=context)
            if server.implicit_tls
            else smtplib.SMTP(timeout=CONNECT_SECONDS)
        )
        # smtplib checks TLS against the name kept here; connect() alone would leave it empty.
        smtp._host = server.host  # type: ignore[attr-defined]  # private, and the only way with a deferred connect
        code, reply = smtp.connect(server.host, server.port)
        if code != 220:
            smtp.close()
            raise smtplib.SMTPConnectError(code, reply)
        try:
            smtp.ehlo_or_helo_if_needed()
            if server.start_tls:
                smtp.starttls(context=context)
                smtp.ehlo_or_helo_if_needed()
            if server.username:
                smtp.login(server.username, server.password)
        except BaseException:
            smtp.close()
            raise
        assert smtp.sock is not None
        smtp.sock.settimeout(COMMAND_SECONDS)
        # The dot goes as its own small packet; without this it would wait for the acknowledgement of the body.
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._smtp = smtp
        return smtp

    @staticmethod
    def _commands(smtp: smtplib.SMTP, envelope_from: str, to: str, size: int) -> Commands:
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

    def _refusal(self, smtp: smtplib.SMTP, code: int, reply: bytes, phase: Phase) -> SendResult:
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
