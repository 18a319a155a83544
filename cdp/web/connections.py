"""Cut connections whose readers stand still, let the system hold little for each, and keep room for newcomers.

The server hands an answer to the system and waits until the reader takes it, for ever. So a thread looks at the
connections that this process accepted: where bytes wait to be taken, and hardly any were, for a while, it is cut. When
nearly as many are open as may be, those that have been silent longest make room. Linux only: elsewhere the proxy in
front does this.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

logger = logging.getLogger(__name__)

LOOK_SECONDS = 3.0
#: a reader is given up that took fewer bytes a second than this for so long, while more wait
STALL_SECONDS = 20.0
SLOWEST = 512

#: what the system may hold of an answer that its reader has not taken (it doubles this; four megabytes otherwise)
SEND_BUFFER = 128 * 1024

#: milliseconds after which one that said nothing may be cut to make room
SILENT_MS = 2000

_ESTABLISHED, _CLOSE_WAIT = 1, 8
#: of Linux's struct tcp_info: the state, milliseconds since anything came, bytes that were taken, that wait to be sent
_STATE, _QUIET, _TAKEN, _UNSENT = 0, 52, 120, 144
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time


@dataclass
class _Seen:
    at: float
    taken: int


class ConnectionWatch(threading.Thread):
    """Look at all accepted connections every few seconds."""

    def __init__(self, most: int) -> None:
        super().__init__(name="connection-watch", daemon=True)
        self._most = most
        self._stopped = threading.Event()
        self._seen: dict[str, _Seen] = {}

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()

    def run(self) -> None:
        """Look until told to stop."""
        if sys.platform != "linux":
            return
        while not self._stopped.wait(LOOK_SECONDS if self._seen else 0.5):
            try:
                if cut := self.look(time.monotonic()):
                    logger.info("cut %d connections whose readers stood still", cut)
            except OSError as error:  # no file number left to look with
                logger.warning("connections cannot be looked at: %s", error)

    def look(self, now: float) -> int:
        """Look once; return how many were cut."""
        seen: dict[str, _Seen] = {}
        silent: list[tuple[int, str]] = []
        cut = 0
        for name, connection in _accepted():
            with connection:
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
                if len(info) < 148 or info[_STATE] not in (_ESTABLISHED, _CLOSE_WAIT):
                    continue
                (taken,) = struct.unpack_from("=Q", info, _TAKEN)
                (unsent,) = struct.unpack_from("=I", info, _UNSENT)
                before = self._seen.get(name)
                if not unsent or before is None or taken - before.taken > SLOWEST * STALL_SECONDS:
                    seen[name] = _Seen(now, taken)
                elif now - before.at < STALL_SECONDS:
                    seen[name] = before
                else:
                    _cut(connection)
                    cut += 1
                (quiet,) = struct.unpack_from("=I", info, _QUIET)
                silent.append((quiet, name))
        self._seen = seen
        return cut + self._make_room(silent)

    def _make_room(self, silent: list[tuple[int, str]]) -> int:
        """Cut those that have been silent longest until there are no more than there may be."""
        over = sorted(silent, reverse=True)[: max(0, len(silent) - self._most)]
        names = {name for quiet, name in over if quiet > SILENT_MS}
        if not names:
            return 0
        for name, connection in _accepted():
            with connection:
                if name in names:
                    _cut(connection)
        return len(names)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)


def _accepted() -> Iterator[tuple[str, socket.socket]]:
    """Yield a name and a copy of each TCP connection to a port on which this process listens."""
    found: list[tuple[str, socket.socket]] = []
    ports: set[int] = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
            if not name.startswith("socket:"):
                continue
            copy = socket.socket(fileno=os.dup(int(number)))
        except OSError:  # closed meanwhile
            continue
        if copy.family not in (socket.AF_INET, socket.AF_INET6) or copy.type != socket.SOCK_STREAM:
            copy.close()
        elif copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            ports.add(copy.getsockname()[1])
            copy.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # those accepted inherit it
            copy.close()
        else:
            found.append((name, copy))
    for name, copy in found:
        try:
            ours = copy.getsockname()[1] in ports
        except OSError:
            ours = False
        if ours:
            yield name, copy
        else:
            copy.close()
