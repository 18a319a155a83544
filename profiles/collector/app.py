"""The ASGI application: route, authenticate, check, hand over to the writer, answer after the commit."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from urllib.parse import parse_qs

from cdp.common.asgi import Headers, ReaderTooSlow, Receive, Scope, Send, send_whole
from cdp.common.request_bodies import BodyRefused
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
from profiles.collector.intake import busy, public_intake, secret_intake
from profiles.collector.keys import (
    KnownSource,
    checked,
    digest_of,
    key_from_headers,
    key_from_query,
    keys_in,
    unknown_key,
    without_key,
)
from profiles.collector.refusals import named_in_refusals
from profiles.collector.routes import Route, route_of
from profiles.collector.wakes import Waker
from profiles.collector.writer import MAX_WAITING_BYTES, STORE_SECONDS, NotStored, Writer
from profiles.messages.limits import MAX_EVENT, MAX_USER_AGENT

logger = logging.getLogger(__name__)

WATCH_SECONDS = 0.25
START_SECONDS = 1.0  # how long the first requests wait for the sources to be read
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
        self._secret = secret_intake()
        self._public = public_intake()

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
        for intake in (self._secret, self._public):
            intake.stop()
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
        except ReaderTooSlow:
            return
        except (Refusal, BodyRefused) as error:
            refusal = error if isinstance(error, Refusal) else busy()
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
            await send_whole(send, 204, headers_out, b"")
        elif route.kind == "collect" and method == "POST":
            await self._collect(route.endpoint, scope, headers, origin, receive)
            await send_whole(send, 200, _SUCCESS_HEADERS + self._readable_by(origin), _SUCCESS)
        elif route.kind == "drop" and method == "POST":
            await self._public.drain(receive)
            await send_whole(send, 200, _SUCCESS_HEADERS + self._readable_by(origin), _SUCCESS)
        elif route.kind not in ("collect", "drop") and method in ("GET", "HEAD"):
            kind, body = await self._document(route, scope, headers)
            extra = [
                (b"content-type", kind),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"max-age=300"),
            ]
            await send_whole(
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
        writer = await self._writer_with_room()
        headed, in_query = _key_outside(headers, scope["query_string"])
        source = await self._named_outside(headers, headed, receive)
        intake = self._public if source is None or source.browser else self._secret
        with named_in_refusals(source), intake.reading() as reading:
            body = await intake.body(reading, receive, headers)
            if source is None:
                await self._require_known_key(body)
            parts = await intake.cut(body, batch=endpoint == "batch")
            key, in_query = _key_of(headers, parts.write_key, headed, in_query)
            source = await self._source(key)
            self._admit(source, origin, in_query=in_query)
            if wait := self._buckets.take(source.id, len(parts.items), time.monotonic()):
                raise Refusal(429, "rate_limited", "Too many events with this key; slow down.", wait)
            now = time.time()
            self.book.note(source, now, from_page=bool(origin or headers.get(b"referer")))
            client = scope.get("client")
            item = Accepted(
                now,
                source.id,
                endpoint,
                stored_address(client[0], self._config.truncate_ip) if client else None,
                headers.get(b"user-agent", b"")[: MAX_USER_AGENT.value].decode("latin-1"),
                # A secret key is stored as a digest only; the copy in the body must not undo that.
                body if source.browser else without_key(body, key),
                asyncio.get_running_loop().create_future(),
            )
            writer.submit(item)
            try:
                await item.done
            except NotStored:
                raise _not_stored() from None

    async def _writer_with_room(self) -> Writer:
        """Return the writer once it may be given more; refuse when that takes too long, or cannot help."""
        writer = self._writer
        if writer is None or self.book.disk_full:
            raise _disk_full()
        if writer.refusing:
            raise _not_stored()
        patience = time.monotonic() + STORE_SECONDS
        while writer.waiting_bytes > MAX_WAITING_BYTES:
            if time.monotonic() > patience:
                raise _not_stored()
            await asyncio.sleep(0.02)
        return writer

    async def _named_outside(self, headers: dict[bytes, bytes], key: str, receive: Receive) -> KnownSource | None:
        """Return the source whose key stands in a header or the address, before a byte of the body is read.

        None when none is named for certain: a Bearer token may be for others, and a key in the body comes before that
        of the address.
        """
        if not key:
            return None
        if headers.get(b"authorization", b"")[:6].lower() != b"basic ":
            return self.book.find(digest_of(key))
        try:
            return await self._source(key)
        except Refusal:
            await self._public.drain(receive)
            raise

    async def _require_known_key(self, body: bytes) -> None:
        """Refuse a body in which no known key is written, before anything costly is done to it."""
        keys = keys_in(body)
        if keys and await self._known(keys) is None:
            raise unknown_key(keys[0])
        if not keys and len(body) > MAX_EVENT.value:  # in a single event an escaped key can be looked for the long way
            checked("")

    def _admit(self, source: KnownSource, origin: bytes, *, in_query: bool) -> None:
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
            raise _disk_full()

    async def _source(self, key: str) -> KnownSource:
        """Return the source of a key."""
        source = await self._known([checked(key)])
        if source is None:
            raise unknown_key(key)
        return source

    async def _known(self, keys: Sequence[str]) -> KnownSource | None:
        """Return the source of the first key that has one; the unknown are looked up afresh, for one may be new."""
        patience = time.monotonic() + START_SECONDS
        while not self.book.ready and time.monotonic() < patience:
            await asyncio.sleep(0.02)
        digests = [digest_of(key) for key in keys]
        source = self._first_known(digests)
        if source is None and any(key.startswith("kb_") for key in keys) and not self._lookups.locked():
            async with self._lookups:
                await asyncio.to_thread(self.book.refresh_and_wait)
            source = self._first_known(digests)
        if source is None and not self.book.ready:
            raise Refusal(503, "not_stored", "The database does not answer; send the events again.", 2)
        return source

    def _first_known(self, digests: Sequence[str]) -> KnownSource | None:
        return next((source for digest in digests if (source := self.book.find(digest))), None)

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
        name, _colon, port = host.rpartition(":")
        if host in self._config.allowed_hosts or (name in self._config.allowed_hosts and port.isdecimal()):
            return f"{scope.get('scheme', 'http')}://{host}"
        return self._config.site_url


def _not_stored() -> Refusal:
    return Refusal(503, "not_stored", "The events could not be stored; send them again.", 2)


def _disk_full() -> Refusal:
    return Refusal(503, "disk_full", "The server's disk is nearly full; nothing is accepted.", 60)


def _key_outside(headers: dict[bytes, bytes], query: bytes) -> tuple[str, bool]:
    """Return the write key of the header or the address, and whether it stood in the address."""
    if in_header := key_from_headers(headers.get(b"authorization", b"")):
        return in_header, False
    in_query = key_from_query(query)
    return in_query, bool(in_query)


def _key_of(headers: dict[bytes, bytes], in_body: str, outside: str, in_query: bool) -> tuple[str, bool]:
    """Return the write key, and whether it stood in the address. A Bearer token may be for others: the body wins."""
    basic = outside and not in_query and headers.get(b"authorization", b"")[:6].lower() != b"bearer"
    if in_body and not basic:
        return in_body, False
    return outside, in_query


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
    await send_whole(send, refusal.status, headers, body)
