"""A bad line between an SDK and the collector: it refuses, fails, breaks off and loses answers, then works."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: what becomes of the first posts, one after the other; every SDK must get its events through nevertheless
FAULTS = ("429", "lost answer", "500", "cut before it arrived")
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Line:
    """An address that leads to the collector; `log` holds what became of each post."""

    url: str
    log: list[str] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: that SDKs drop connections is part of the matter."""


@contextmanager
def bad_line(site_url: str, faults: tuple[str, ...] = FAULTS) -> Iterator[Line]:
    """Forward from a port of loopback to the site; the first posts meet `faults`."""
    target = urlsplit(site_url)
    waiting = list(faults)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self._body()
            fault = ""
            if self.command == "POST":
                with lock:
                    fault = waiting.pop(0) if waiting else ""
                    line.log.append(fault or "passed")
            if fault in ("429", "500"):
                self._refuse(int(fault))
                return
            if fault == "cut before it arrived":
                self.close_connection = True
                return
            far = http.client.HTTPConnection(str(target.hostname), target.port, timeout=30)
            far.request(self.command, self.path, body=body or None, headers=dict(self.headers.items()))
            answer = far.getresponse()
            content = answer.read()
            far.close()
            if fault == "lost answer":
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self._end(content)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            del self.headers["Transfer-Encoding"]
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _refuse(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == 429:
                self.send_header("Retry-After", "1")
            if origin := self.headers.get("Origin"):
                self.send_header("Access-Control-Allow-Origin", origin)
                self.send_header("Access-Control-Expose-Headers", "Retry-After")
            self._end(json.dumps({"code": "trouble", "message": "Send it again."}).encode())

        def _end(self, content: bytes) -> None:
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_OPTIONS = do_HEAD = _forward

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        line = Line(f"http://localhost:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield line
        finally:
            server.shutdown()
