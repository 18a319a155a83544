"""/livez, /healthz and /readyz: answered whatever the pages' threads are at, and while the database is away.

/livez asks nobody. The others are Django's views in a thread and with a connection of their own, one at a time, and an
answer is good for a second: however often they are asked, they cost little.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings

from cdp.common.asgi import Scope, Send, send_whole
from cdp.web.pages import Answer, Application, call
from cdp.web.scopes import environ_of

PATHS = frozenset({"/healthz", "/readyz"})
GOOD_FOR = 1.0
#: what has not been answered by then (seconds) will not be: the database hangs
PATIENCE = 5.0


def _document(code: int, **content: object) -> Answer:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    return Answer(code, headers, json.dumps(content).encode())


class Probes:
    """Answer the probes. `alive` tells whether the collector's threads live."""

    def __init__(self, application: Application, alive: Callable[[], bool]) -> None:
        self._application = application
        self._alive = alive
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="probes")
        self._asked: dict[str, tuple[float, asyncio.Future[Answer]]] = {}

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """Answer when the address is a probe's; tell whether it was."""
        path = scope["path"]
        if path == "/livez":
            answer = self._livez()
        elif path in PATHS and scope["method"] in ("GET", "HEAD"):
            answer = await self._answer(path)
        else:
            return False
        await send_whole(send, answer.status, answer.headers, b"" if scope["method"] == "HEAD" else answer.body)
        return True

    def _livez(self) -> Answer:
        """Tell whether this process works: the probe by which an orchestrator restarts it.

        A database that is away is no reason to restart anything.
        """
        return _document(200, status="ok") if self._alive() else _document(503, status="down", down=["collector"])

    async def _answer(self, path: str) -> Answer:
        loop = asyncio.get_running_loop()
        began, asked = self._asked.get(path, (0.0, None))
        if asked is None or (asked.done() and loop.time() - began > GOOD_FOR):
            began = loop.time()
            asked = asyncio.ensure_future(loop.run_in_executor(self._thread, self._ask, path))
            self._asked[path] = began, asked
        done, _waiting = await asyncio.wait([asked], timeout=max(0.0, began + PATIENCE - loop.time()))
        return asked.result() if done else _document(503, status="down", down=["database"])

    def _ask(self, path: str) -> Answer:
        """Ask Django as nobody in particular: the answer is for all."""
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", settings.ALLOWED_HOSTS[0].encode())],
        }
        return call(self._application, environ_of(scope, None, 0))
