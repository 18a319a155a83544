"""One ASGI application on one port: the collector, probes, static files, and Django for the rest."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable
from pathlib import Path

from cdp.common.asgi import Receive, Scope, Send
from cdp.processes.heartbeat_file import HeartbeatFile, keep_beating
from cdp.processes.launch import die_with_parent
from cdp.web.capacity import connections
from cdp.web.connections import ConnectionWatch
from cdp.web.pages import Application, Pages
from cdp.web.probes import Probes
from cdp.web.refusals import Refused, send_refusal
from cdp.web.scopes import believe_proxy
from cdp.web.static import StaticFiles
from profiles.collector.app import Collector
from profiles.collector.routes import is_collection_path


class WebApplication:
    """Send each request to the part that answers it."""

    def __init__(
        self,
        *,
        collector: Collector,
        django: Application,
        var_dir: Path,
        trust_proxy: bool,
        troubles: Callable[[], list[str]],
    ) -> None:
        self._collector = collector
        self._var_dir = var_dir
        self._trust_proxy = trust_proxy
        self._troubles = troubles
        self._probes = Probes(django, lambda: collector.alive)
        self._static = StaticFiles()
        self._pages = Pages(django)
        self._watch = ConnectionWatch(most=connections() * 3 // 4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._trust_proxy:
            believe_proxy(scope)
        if is_collection_path(scope["path"]):
            await self._collector(scope, receive, send)
        elif not await self._static(scope, send) and not await self._probes(scope, send):
            try:
                await self._pages(scope, receive, send)
            except Refused as refused:
                await send_refusal(scope, send, refused.refusal)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        heartbeat = HeartbeatFile(self._var_dir, "web")
        beating: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if parent := multiprocessing.parent_process():
                    # The server's main process: if it is killed, we must not keep its port and answer 503 for ever.
                    die_with_parent(parent.pid or 0)
                if found := await asyncio.to_thread(self._troubles):
                    await send({"type": "lifespan.startup.failed", "message": "\n".join(found)})
                    return
                self._collector.start()
                self._watch.start()
                beating = asyncio.create_task(keep_beating(heartbeat))
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if beating is not None:
                    beating.cancel()
                self._watch.stop()
                await self._collector.stop()
                heartbeat.remove()
                await send({"type": "lifespan.shutdown.complete"})
                return
