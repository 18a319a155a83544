"""A mail server on a real socket that keeps what it gets and misbehaves by the recipient's name.

`cut-before-…` closes the connection at DATA, `cut-after-…` stores the message and closes it before the reply,
`later-…` answers 451 once, `busy-…` 451 always, `gone-…` 550 5.1.1, `no-…` 550, `rule-…` 550 5.7.1, `hang-…` stores
the message and never answers. `cut-before-…` does so twice: for a connection that has delivered, and for a new one.
With `login` it asks for a user name and password and lets nobody in; with `hang_all` it answers after no message.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from cdp.environment import MailServer


@dataclass
class Sink:
    """The server and what it holds."""

    delay: float = 0.0
    banner: str = "220 sink ready"
    login: bool = False
    hang_all: bool = False
    per_connection: int = 1_000_000  # messages, then 421
    most_connections: int = 1_000_000  # at once; 421 for more
    open_now: int = 0
    turned_away: int = 0
    on_store: list[object] = field(default_factory=list)
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    tried: Counter[str] = field(default_factory=Counter)

    def start(self) -> Sink:
        """Listen on a free port of loopback."""
        self._lock = threading.Lock()
        self._let_go = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        self.let_go()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept()
        self._listener.close()

    def let_go(self) -> None:
        """Hang up on every message that hangs."""
        self._let_go.set()
        self._let_go = threading.Event()

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self._listener.getsockname()[1])

    @property
    def server(self) -> MailServer:
        """Return the settings for a client."""
        return MailServer("127.0.0.1", self.port)

    @property
    def counts(self) -> Counter[str]:
        """Return how many mails each recipient has."""
        with self._lock:
            return Counter(recipient for recipient, _content in self.mails)

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        stream = connection.makefile("rwb")
        with self._lock:
            self.open_now += 1
            too_many = self.open_now > self.most_connections
            self.turned_away += too_many
        try:
            if too_many:
                connection.sendall(b"421 4.7.0 too many connections\r\n")
            else:
                self._converse(connection, stream)
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self.open_now -= 1
            connection.close()

    def _converse(self, connection: socket.socket, stream: object) -> None:
        read, write = stream.readline, stream.write  # type: ignore[attr-defined]  # a buffered pair

        def answer(text: str) -> None:
            write(text.encode() + b"\r\n")
            stream.flush()  # type: ignore[attr-defined]

        answer(self.banner)
        recipient = ""
        taken = 0
        while line := read():
            command = line[:4].upper()
            if command in (b"EHLO", b"HELO"):
                answer("250-sink\r\n250 AUTH PLAIN" if self.login else "250 sink")
            elif command == b"AUTH":
                answer("535 5.7.8 who are you")
            elif command == b"MAIL" and taken >= self.per_connection:
                answer("421 4.7.0 too many messages in this connection")
                return
            elif command == b"MAIL":
                answer("250 ok")
            elif command == b"RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
                with self._lock:
                    self.tried[recipient] += 1
                if recipient.startswith("gone"):
                    answer("550 5.1.1 no such user")
                elif recipient.startswith("no-"):
                    answer("550 5.2.0 not this mailbox")
                elif recipient.startswith("busy"):
                    answer("451 4.3.2 too busy")
                elif recipient.startswith("rule"):
                    answer("550 5.7.1 not by our rules")
                elif recipient.startswith("later") and self.tried[recipient] == 1:
                    answer("451 4.7.1 come back later")
                else:
                    answer("250 ok")
            elif command == b"DATA":
                if recipient.startswith("cut-before") and self.tried[recipient] <= 2:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                answer("354 go on")
                content = b""
                while (part := read()) and part != b".\r\n":
                    content += part
                if not part:
                    return
                if self.delay:
                    time.sleep(self.delay)
                with self._lock:
                    self.mails.append((recipient, content))
                for hook in self.on_store:
                    hook(recipient)  # type: ignore[operator]
                if recipient.startswith("cut-after"):
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                if self.hang_all or recipient.startswith("hang"):
                    self._let_go.wait()
                    return
                taken += 1
                answer("250 2.0.0 stored")
            elif command == b"RSET":
                answer("250 ok")
            elif command == b"QUIT":
                answer("221 bye")
                return
            else:
                answer("500 what")
