"""The collector in the test's own process, on the test database: knock, and see what it stored."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
from django.db import connection

from cdp.asgi import collector_config
from profiles.collector.app import Collector
from profiles.collector.config import CollectorConfig
from profiles.models import RawMessage, Source
from profiles.services.sources import create_source
from tests import asynchronous

EVENT = {
    "type": "track",
    "event": "Product Viewed",
    "userId": "u1",
    "messageId": "m1",
    "properties": {"price": 19.95},
}


def browser_source(**options: Any) -> tuple[Source, str]:
    """Make a website source; return it with its key."""
    return create_source(name=options.pop("name", "Shop"), kind="browser", **options)


def server_source(**options: Any) -> tuple[Source, str]:
    """Make a server source; return it with its key."""
    return create_source(name=options.pop("name", "Till"), kind="server", **options)


def configuration(**changes: Any) -> CollectorConfig:
    """Return the installation's collector settings for the test database, with changes."""
    return replace(
        collector_config(),
        **{"site_url": "http://localhost:8000", "min_free_bytes": 0, **changes},
    )


def at_the_door(
    visit: Callable[[httpx.AsyncClient], Awaitable[Any]],
    *,
    config: CollectorConfig | None = None,
    app: Any = None,
) -> Any:
    """Run `visit(client)` against a collector of its own, and stop the collector afterwards."""

    async def run() -> Any:
        collector = Collector(config or configuration())
        transport = httpx.ASGITransport(app=app(collector) if app else collector, client=("203.0.113.77", 4711))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                return await visit(client)
        finally:
            await collector.stop()

    return asynchronous.run(run())


def knock(method: str, path: str, *, config: CollectorConfig | None = None, **request: Any) -> httpx.Response:
    """Send one request and return the answer."""

    async def visit(client: httpx.AsyncClient) -> httpx.Response:
        return await client.request(method, path, **request)

    answer = at_the_door(visit, config=config)
    assert isinstance(answer, httpx.Response)
    return answer


def post(path: str, body: Any, key: str, **request: Any) -> httpx.Response:
    """Post JSON (or bytes as they are) with the key as Basic user name."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return knock("POST", path, content=content, auth=(key, ""), **request)


def stored() -> list[RawMessage]:
    """Return what was stored, in order of arrival."""
    return list(RawMessage.objects.order_by("received_at", "id"))


def inbox_ids() -> list[int]:
    """Return the raw ids that wait to be processed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT raw_id FROM profiles_inbox ORDER BY raw_id")
        return [row[0] for row in cursor.fetchall()]
