"""Django as WSGI, in threads that never wait for the network: the body is here before, the answer is sent after."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.db import close_old_connections

from cdp.common.asgi import Headers, ReaderTooSlow, Receive, Scope, Send, send_whole
from cdp.web.admission import OpenRequests
from cdp.web.bodies import Bodies
from cdp.web.pools import Busy, ThreadPool, fair_address
from cdp.web.refusals import BUSY, Refused
from cdp.web.routes import EXPORTS, POOLS, route_of
from cdp.web.scopes import environ_of
from cdp.web.spool import Spool
from cdp.web.uploads import may_upload

#: answers of any length under way: each has a file
MAX_SPOOLS = 20

Application = Callable[..., Any]


@dataclass(frozen=True)
class Answer:
    """What Django answers: whole, or with pieces that are still to be made."""

    status: int
    headers: Headers
    body: bytes = b""
    pieces: Iterable[bytes] | None = None


def call(application: Application, environ: dict[str, Any]) -> Answer:
    """Ask a WSGI application, in a thread. An answer that calls itself `streaming` is not made yet."""
    head: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        head["status"] = int(status.split(" ", 1)[0])
        head["headers"] = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    pieces = application(environ, start_response)
    if getattr(pieces, "streaming", False) and environ["REQUEST_METHOD"] != "HEAD":
        return Answer(**head, pieces=pieces)
    try:
        return Answer(**head, body=b"" if getattr(pieces, "streaming", False) else b"".join(pieces))
    finally:
        pieces.close()


def _write_out(spool: Spool, pieces: Iterable[bytes]) -> None:
    close_old_connections()  # another thread than the one in which the request began
    try:
        spool.write(pieces)
    finally:
        cast(Any, pieces).close()


class Pages:
    """Answer what is Django's."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._pools = {pool.name: ThreadPool(pool) for pool in POOLS}
        self._bodies = Bodies()
        self._requests = OpenRequests()
        self._spools = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raise Refused for one that Django is not asked about."""
        address = fair_address(scope.get("client"))
        route = route_of(scope["path"])
        pool = self._pools[route.pool.name]
        context = contextvars.copy_context()
        try:
            with self._requests.counted(address):
                allowed = partial(pool.run, address, partial(may_upload, scope))
                async with self._bodies.received(scope, receive, route, allowed) as (body, size):
                    environ = environ_of(scope, body, size)
                    answer = await pool.run(address, partial(context.run, call, self._application, environ))
                if answer.pieces is None:
                    await send_whole(send, answer.status, answer.headers, answer.body)
                else:
                    await self._export(address, answer, context, send)
        except Busy:
            raise Refused(BUSY) from None
        except ReaderTooSlow:
            return

    async def _export(self, address: str, answer: Answer, context: contextvars.Context, send: Send) -> None:
        """Send an answer while it is made, by other threads than those of the pages."""
        assert answer.pieces is not None
        if self._spools >= MAX_SPOOLS:
            await asyncio.to_thread(cast(Any, answer.pieces).close)
            raise Busy
        spool = Spool(min_free=settings.COLLECT_MIN_FREE_MB * 2**20)
        work = partial(context.run, _write_out, spool, answer.pieces)
        writing = asyncio.ensure_future(self._pools[EXPORTS.name].run(address, work))
        writing.add_done_callback(lambda _writing: spool.finish())
        self._spools += 1
        try:
            await spool.begun()
            if writing.done():
                writing.result()  # what went wrong before the first line is an answer of its own
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await spool.send(send)
            await writing
            await send({"type": "http.response.body", "body": b""})
        finally:
            spool.abandon()
            await asyncio.wait([writing])
            self._spools -= 1
            spool.close()
