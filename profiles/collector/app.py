"""The ASGI application: route, authenticate, check, hand over to the writer, answer after the commit."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from profiles.collector.addresses import stored_address
from profiles.collector.book import SourceBook
from profiles.collector.buckets import Buckets
from profiles.collector.config import CollectorConfig
from profiles.collector.cors import answer_headers, foreign_page, origin_allowed, preflight_headers
from profiles.collector.documents import (
    SCRIPT_TYPE,
    Bundles,
    settings_document,
    source_config,
)
from profiles.collector.errors import Refusal
from profiles.collector.group import Accepted
from profiles.collector.inflating import inflate, too_large
from profiles.collector.keys import (
    KnownSource,
    checked,
    digest_of,
    key_from_headers,
    key_from_query,
    unknown_key,
)
from profiles.collector.routes import Route, route_of
from profiles.collector.wakes import Waker
from profiles.collector.writer import MAX_WAITING_BYTES, STORE_SECONDS, NotStored, Writer
from profiles.messages.decoding import Unreadable, split, without_bom
from profiles.messages.limits import MAX_BODY, MAX_USER_AGENT

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

logger = logging.getLogger(__name__)

BODY_SECONDS = 30.0
WATCH_SECONDS = 0.25
MAX_KEY_LOOKUPS = 16  # requests with an unknown key that may wait for a fresh look at the sources
_JSON = (b"content-type", b"application/json")
_SUCCESS = b'{"success":true}'
_SUCCESS_HEADERS: Headers = [_JSON, (b"content-length", str(len(_SUCCESS)).encode())]


class Collector:
    """Accept what SDKs send. One per process; its threads start with the first request or at startup."""

    def __init__(self, config: CollectorConfig) -> None:
        self._config = config
        self._buckets = Buckets(config.events_per_second)
        self._bundles = Bundles(config.bundle_dir)
        self._book: SourceBook | None = None
        self._writer: Writer | None = None
        self._waker: Waker | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lookups = asyncio.Semaphore(MAX_KEY_LOOKUPS)

    def start(self) -> None:
        """Start the threads; call it on the event loop that will serve."""
        if self._writer is not None:
            return
        self._waker = Waker(self._config.wake)
        self._writer = self._new_writer()
        self._book = SourceBook(self._config)
        for thread in (self._waker, self._writer, self._book):
            thread.start()
        self._timer = asyncio.get_running_loop().call_later(WATCH_SECONDS, self._watch)

    async def stop(self) -> None:
        """Commit what is waiting, answer it, and end the threads."""
        if self._writer is None or self._book is None or self._waker is None:
            return
        for thread in (self._writer, self._book, self._waker):
            thread.stop()
        for thread in (self._writer, self._book, self._waker):
            await asyncio.to_thread(thread.join, 10.0)
        if self._timer is not None:
            self._timer.cancel()

    @property
    def alive(self) -> bool:
        """Tell whether every thread of a collector that was started lives. Says nothing of the database."""
        threads = [thread for thread in (self._writer, self._book, self._waker) if thread is not None]
        return all(thread.is_alive() for thread in threads)

    def _new_writer(self) -> Writer:
        assert self._waker is not None
        return Writer(self._config.dsn, asyncio.get_running_loop(), self._waker.wake_soon)

    def _watch(self) -> None:
        """Keep every sender's wait bounded, and put a new thread in the place of one that died."""
        assert self._writer is not None
        self._writer.watch()
        if not self._writer.is_alive() and not self._writer.stopping:
            logger.error("the collector's writing thread died; another takes over")
            dead, self._writer = self._writer, self._new_writer()
            for item in dead.left_over():
                self._writer.submit(item)
            self._writer.start()
        self._timer = asyncio.get_running_loop().call_later(WATCH_SECONDS, self._watch)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request on a collection path."""
        self.start()
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        try:
            await self._dispatch(scope, headers, origin, receive, send)
        except Refusal as refusal:
            if self._book is not None:
                self._book.refusals.note(refusal, scope["path"], headers, time.time())
            await _refuse(send, refusal, self._readable_by(origin))

    async def _dispatch(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        origin: bytes,
        receive: Receive,
        send: Send,
    ) -> None:
        route = route_of(scope["path"])
        if route is None:
            raise Refusal(404, "not_found", "There is nothing here. Events go to /v1/batch, or to /v1/track and so on.")
        method = scope["method"]
        if method == "OPTIONS":
            if not self.book.ready and not self._lookups.locked():
                async with self._lookups:
                    await asyncio.to_thread(self.book.refresh_and_wait)
            allowed = self.book.preflight_allowed(origin.decode("latin-1"))
            if origin and not allowed and self.book.ready:
                self.book.refusals.note(foreign_page(), scope["path"], headers, time.time())
            headers_out = preflight_headers(origin, allowed=allowed, named=self.book.names(origin))
            await _answer(send, 204, headers_out, b"")
        elif route.kind == "collect" and method == "POST":
            await self._collect(route.endpoint, scope, headers, origin, receive)
            await _answer(send, 200, _SUCCESS_HEADERS + self._readable_by(origin), _SUCCESS)
        elif route.kind == "drop" and method == "POST":
            await _read_body(receive, headers)
            await _answer(send, 200, _SUCCESS_HEADERS + self._readable_by(origin), _SUCCESS)
        elif route.kind not in ("collect", "drop") and method in ("GET", "HEAD"):
            kind, body = await self._document(route, scope, headers)
            extra = [
                (b"content-type", kind),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"max-age=300"),
            ]
            await _answer(
                send,
                200,
                extra + self._readable_by(origin),
                b"" if method == "HEAD" else body,
            )
        else:
            raise Refusal(405, "method_not_allowed", f"{method} is not taken here.")

    def _readable_by(self, origin: bytes) -> Headers:
        return answer_headers(origin, named=self._book is not None and self._book.names(origin))

    @property
    def book(self) -> SourceBook:
        """Return the sources."""
        if self._book is None:
            raise Refusal(503, "starting", "The collector is starting.", 1)
        return self._book

    # Collecting ----------------------------------------------------------------------------------------------------

    async def _collect(
        self,
        endpoint: str,
        scope: Scope,
        headers: dict[bytes, bytes],
        origin: bytes,
        receive: Receive,
    ) -> None:
        writer = self._writer
        if writer is None or self.book.disk_full:
            raise Refusal(
                503,
                "disk_full",
                "The server's disk is nearly full; nothing is accepted.",
                60,
            )
        if writer.refusing:
            raise _not_stored()
        patience = time.monotonic() + STORE_SECONDS
        while writer.waiting_bytes > MAX_WAITING_BYTES:
            if time.monotonic() > patience:
                raise _not_stored()
            await asyncio.sleep(0.02)
        body = await _read_body(receive, headers)
        encoding = headers.get(b"content-encoding")
        if encoding:
            body = inflate(body, encoding.decode("latin-1"))
        body = without_bom(body)
        try:
            parts = split(body, batch=endpoint == "batch")
        except Unreadable as error:
            raise Refusal(400, error.code, error.message) from None
        key, in_query = _key_of(headers, parts.write_key, scope["query_string"])
        source = await self._source(key)
        if in_query and not source.browser:
            raise Refusal(
                401,
                "secret_key_in_address",
                "A secret key may not stand in an address; send it as a header.",
                source_id=source.id,
            )
        if not source.enabled:
            raise Refusal(403, "source_disabled", "This source is switched off.", source_id=source.id)
        if source.allowed_origins and origin and not origin_allowed(origin.decode("latin-1"), source.allowed_origins):
            raise foreign_page(source.id)
        if self.book.disk_full:
            raise Refusal(503, "disk_full", "The server's disk is nearly full; nothing is accepted.", 60)
        now = time.time()
        wait = self._buckets.take(
            source.id,
            len(parts.items),
            time.monotonic(),
        )
        if wait:
            raise Refusal(429, "rate_limited", "Too many events with this key; slow down.", wait)
        self.book.note(source, now, from_page=bool(origin or headers.get(b"referer")))
        if not source.browser:
            # A secret key is stored as a digest only; the copy in the body must not undo that.
            body = body.replace(key.encode(), b"(secret key)")
        client = scope.get("client")
        item = Accepted(
            now,
            source.id,
            endpoint,
            stored_address(client[0], self._config.truncate_ip) if client else None,
            headers.get(b"user-agent", b"")[: MAX_USER_AGENT.value].decode("latin-1"),
            body,
            asyncio.get_running_loop().create_future(),
        )
        writer.submit(item)
        try:
            await item.done
        except NotStored:
            raise _not_stored() from None

    async def _source(self, key: str) -> KnownSource:
        """Return the source of a key; an unknown one is looked up afresh, for it may have been made a moment ago."""
        digest = digest_of(checked(key))
        source = self.book.find(digest)
        if source is None and not self._lookups.locked() and (not self.book.ready or key.startswith("kb_")):
            async with self._lookups:
                await asyncio.to_thread(self.book.refresh_and_wait)
            source = self.book.find(digest)
        if source is None:
            if not self.book.ready:
                raise Refusal(
                    503,
                    "not_stored",
                    "The database does not answer; send the events again.",
                    2,
                )
            raise unknown_key(key)
        return source

    # Documents -----------------------------------------------------------------------------------------------------

    async def _document(self, route: Route, scope: Scope, headers: dict[bytes, bytes]) -> tuple[bytes, bytes]:
        if route.kind == "nodes":
            return _JSON[1], b'{"nodeCount":1}'
        site = self._site(scope, headers)
        if route.kind == "bundle":
            body = self._bundles.bundle(route.argument, site)
            if body is None:
                raise Refusal(404, "not_found", "There is no such bundle.")
            return SCRIPT_TYPE, body
        if route.kind == "source_config":
            query = parse_qs(scope["query_string"].decode("latin-1"))
            key = query.get("writeKey", [""])[0] or key_from_headers(headers.get(b"authorization", b""))
            return _JSON[1], source_config(key, await self._browser_source(key))
        await self._browser_source(route.argument)
        if route.kind == "settings":
            return _JSON[1], settings_document(route.argument, site)
        script = self._bundles.script(route.argument, site)
        if script is None:
            raise Refusal(
                404,
                "not_installed",
                "analytics.js is not installed on this server; run `make assets`.",
            )
        return SCRIPT_TYPE, script

    async def _browser_source(self, key: str) -> KnownSource:
        source = await self._source(key)
        if not source.browser or not source.enabled:
            raise Refusal(
                403,
                "source_disabled",
                "This key is not that of a website source that is switched on.",
                source_id=source.id,
            )
        return source

    def _site(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        """Return scheme://host as the page asked for us when that host is ours, else the configured one.

        An unknown Host header is never echoed: the answer may be cached and would send events elsewhere.
        """
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host.rpartition(":")[0] in self._config.allowed_hosts or host in self._config.allowed_hosts:
            return f"{scope.get('scheme', 'http')}://{host}"
        return self._config.site_url


def _not_stored() -> Refusal:
    return Refusal(503, "not_stored", "The events could not be stored; send them again.", 2)


def _key_of(headers: dict[bytes, bytes], in_body: str, query: bytes) -> tuple[str, bool]:
    """Return the write key and whether it stood in the address. A Bearer token may be for others: the body wins."""
    authorization = headers.get(b"authorization", b"")
    in_header = key_from_headers(authorization)
    if in_header and authorization[:6].lower() != b"bearer":
        return in_header, False
    if in_body or in_header:
        return in_body or in_header, False
    in_query = key_from_query(query)
    return in_query, bool(in_query)


async def _read_body(receive: Receive, headers: dict[bytes, bytes]) -> bytes:
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > MAX_BODY.value:
        raise too_large()
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        if len(body) > MAX_BODY.value:
            raise too_large()
        return body
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read_rest(receive, message)
    except TimeoutError:
        raise Refusal(
            408,
            "body_too_slow",
            f"The body did not arrive within {BODY_SECONDS:.0f} seconds.",
        ) from None


async def _read_rest(receive: Receive, message: MutableMapping[str, Any]) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise Refusal(
                400,
                "body_broken_off",
                "The connection closed before the body was complete.",
            )
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY.value:
            raise too_large()
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


async def _answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse(send: Send, refusal: Refusal, readable: Headers) -> None:
    body = json.dumps({"code": refusal.code, "message": refusal.message, "success": False}).encode()
    headers: Headers = [_JSON, (b"content-length", str(len(body)).encode())]
    # A page outside the list may not read the answer either; any other needs Retry-After and the message.
    if refusal.code != "origin_not_allowed":
        headers += readable
    if refusal.retry_after is not None:
        wait = str(refusal.retry_after).encode()
        headers += [(b"retry-after", wait), (b"x-ratelimit-reset", wait)]
    if refusal.status == 405:
        headers.append((b"allow", b"GET, POST, OPTIONS"))
    await _answer(send, refusal.status, headers, body)
