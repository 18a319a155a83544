"""A file that somebody sends: who may, and where it waits until all of it is here."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from importlib import import_module
from typing import IO, Any, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from cdp.common.api import TokenAuthentication
from cdp.common.asgi import Receive, Scope
from cdp.common.request_bodies import Patience, Reading
from cdp.web.refusals import NO_ROOM, Refused
from cdp.web.scopes import environ_of

PERMISSION = "profiles.add_import"
PATIENCE = Patience(total=60, pause=20, bytes_per_second=16 * 1024)
#: pieces are written to disk together, beside the event loop
WRITE_BYTES = 1024 * 1024


def max_upload() -> int:
    """Return how large a request with a file may be: the file, and the form around it."""
    return settings.IMPORT_MAX_BYTES + 1024 * 1024


def may_upload(scope: Scope) -> bool:
    """Tell whether the sender may import, by session or token; in a thread, before the file is read."""
    close_old_connections()
    try:
        request = WSGIRequest(environ_of({**scope, "method": "GET"}, None, 0))
        store = import_module(settings.SESSION_ENGINE).SessionStore
        request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        user: Any = get_user(request)
        try:
            found = TokenAuthentication().authenticate(Request(request))
        except APIException:
            return False
        if found is not None:
            user = found[0]
        return bool(user.is_active and user.has_perm(PERMISSION))
    finally:
        close_old_connections()


class Upload:
    """A file on its way to disk."""

    def __init__(self) -> None:
        self.file = cast(IO[bytes], tempfile.TemporaryFile())  # noqa: SIM115 - closed by close()
        self._waiting: list[bytes] = []
        self._size = 0

    async def receive(self, reading: Reading, receive: Receive, declared: int) -> int:
        """Read the request to the file and return its size; raise BodyRefused, or Refused for want of room."""
        free = shutil.disk_usage(tempfile.gettempdir()).free
        # Django writes the file itself once more.
        if free < 2 * declared + settings.COLLECT_MIN_FREE_MB * 2**20:
            raise Refused(NO_ROOM)
        size = await reading.read(
            self._paced(receive), self._waiting.append, cap=max_upload(), patience=PATIENCE, counted=False
        )
        await self._write()
        await asyncio.to_thread(self.file.seek, 0)
        return size

    def _paced(self, receive: Receive) -> Receive:
        async def next_piece() -> Any:
            self._size = sum(map(len, self._waiting))
            if self._size >= WRITE_BYTES:
                await self._write()
            return await receive()

        return next_piece

    async def _write(self) -> None:
        data = b"".join(self._waiting)
        self._waiting.clear()
        await asyncio.to_thread(self.file.write, data)

    def close(self) -> None:
        """Give the room back."""
        self.file.close()
