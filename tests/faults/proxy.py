"""A network that behaves badly: a TCP port in front of PostgreSQL's socket that cuts, holds back or swallows."""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path


class Proxy:
    """Forward bytes both ways. `cut`: chance that a piece cuts its connection; `hole`: nothing goes through."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.cut = 0.0
        self.hole = threading.Event()
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Return the port to connect to."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                server.connect(str(self.target))
            except OSError:
                client.close()
                continue
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                while self.hole.is_set():  # held back, as by a firewall that forgot the connection
                    time.sleep(0.1)
                if random.random() < self.cut:
                    self.cuts += 1
                    sink.sendall(piece[: len(piece) // 2])
                    break
                sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
