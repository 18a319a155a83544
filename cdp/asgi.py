"""The web process: one ASGI application on one port. Collection paths go to the collector, everything else to Django.

Django runs as WSGI in a pool of threads: its views are synchronous, and under ASGI they were several times slower.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast
from urllib.parse import quote

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cdp.settings")

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from cdp.celery import app as celery_app
from cdp.processes.heartbeat_file import HeartbeatFile, keep_beating
from cdp.processes.launch import die_with_parent
from cdp.start_checks import troubles_at_start
from cdp.wsgi import application as django_application
from profiles.collector.app import Collector
from profiles.collector.config import CollectorConfig
from profiles.collector.routes import is_collection_path

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: pages wait for the database more than they compute; more threads only add connections
DJANGO_THREADS = 8


def collector_dsn() -> str:
    """Return Django's database as a libpq connection string, without the limits that are meant for pages."""
    database = connection.settings_dict
    parts = {
        "host": database["HOST"],
        "port": database["PORT"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "dbname": database["NAME"],
    }
    return make_conninfo("", **{name: str(value) for name, value in parts.items() if value})


def wake_processor() -> None:
    """Send the processor's task; when that fails, beat sends the next within seconds."""
    celery_app.send_task("profiles.process_inbox", ignore_result=True, retry=False)


def collector_config() -> CollectorConfig:
    """Return the collector's settings, as Django's say."""
    return CollectorConfig(
        dsn=collector_dsn(),
        site_url=settings.SITE_URL,
        allowed_hosts=tuple(settings.ALLOWED_HOSTS),
        truncate_ip=settings.TRUNCATE_IP,
        events_per_second=settings.COLLECT_EVENTS_PER_SECOND,
        watched_dir=settings.VAR_DIR if settings.LOCAL else None,
        min_free_bytes=settings.COLLECT_MIN_FREE_MB * 1024 * 1024,
        bundle_dir=settings.BASE_DIR / "static" / "vendor" / "analytics-next",
        wake=wake_processor,
    )


collector = Collector(collector_config())
django = WSGIMiddleware(cast(Any, django_application), workers=DJANGO_THREADS)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Send each request to the part that answers it."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope["path"] == "/livez":
        await _livez(send)
        return
    if settings.TRUST_PROXY:
        _believe_proxy(scope)
    if is_collection_path(scope["path"]):
        await collector(scope, receive, send)
    else:

        async def receive_in_coroutine() -> MutableMapping[str, Any]:
            # Django's thread asks for the body; asyncio takes coroutines only there, and the server gives a bare future
            return await receive()

        await django(cast(Any, _for_wsgi(scope)), cast(Any, receive_in_coroutine), cast(Any, send))


async def _livez(send: Send) -> None:
    """Tell whether this process works; asks neither the database nor a thread of Django's, so it answers under load.

    The probe by which an orchestrator restarts a process: a database that is away is no reason to restart anything.
    """
    alive = collector.alive
    body = b'{"status":"ok"}' if alive else b'{"status":"down","down":["collector"]}'
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200 if alive else 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _believe_proxy(scope: Scope) -> None:
    """Take the client's address and scheme from the proxy: the last entry is the one that it wrote itself."""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            scope["client"] = (value.decode("latin-1").rpartition(",")[2].strip(), 0)
        elif name == b"x-forwarded-proto" and value in (b"http", b"https"):
            scope["scheme"] = value.decode()


def _for_wsgi(scope: Scope) -> Scope:
    """Return the scope as WSGI can carry it: an ASCII query, and no header that passes for another.

    `X_Forwarded_For` and `X-Forwarded-For` are one variable in WSGI; a proxy removes only the second.
    """
    query = scope["query_string"]
    if not query.isascii():
        query = quote(query, safe="%&=+/:;,?@!$'()*~").encode()
    headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
    cookies = [value for name, value in headers if name == b"cookie"]
    if len(cookies) > 1:
        headers = [pair for pair in headers if pair[0] != b"cookie"] + [(b"cookie", b"; ".join(cookies))]
    path = scope["path"].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return {**scope, "query_string": query, "headers": headers, "path": path}


def _troubles() -> list[str]:
    try:
        return troubles_at_start()
    finally:
        connection.close()


async def _lifespan(receive: Receive, send: Send) -> None:
    heartbeat = HeartbeatFile(settings.VAR_DIR, "web")
    beating: asyncio.Task[None] | None = None
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            if parent := multiprocessing.parent_process():
                # The server's main process: if it is killed, we must not keep its port and answer 503 for ever.
                die_with_parent(parent.pid or 0)
            if found := await asyncio.to_thread(_troubles):
                await send({"type": "lifespan.startup.failed", "message": "\n".join(found)})
                return
            collector.start()
            beating = asyncio.create_task(keep_beating(heartbeat))
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            if beating is not None:
                beating.cancel()
            await collector.stop()
            heartbeat.remove()
            await send({"type": "lifespan.shutdown.complete"})
            return
