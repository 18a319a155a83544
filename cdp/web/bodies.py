"""The body of a request for Django: read on the event loop, whole, before a thread is asked for."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import IO

from django.conf import settings

from cdp.common.asgi import Receive, Scope
from cdp.common.request_bodies import BodyRefused, Budget, Patience
from cdp.web.refusals import BUSY, OF_READING, Refused, too_large
from cdp.web.routes import Route, max_bytes
from cdp.web.scopes import header
from cdp.web.uploads import Upload, max_upload

PATIENCE = Patience(total=20, pause=10, bytes_per_second=32 * 1024)
MAX_UPLOADS = 6

Body = tuple[IO[bytes] | None, int]


class Bodies:
    """All bodies on their way to Django: those of the nameless push out each other only."""

    def __init__(self) -> None:
        self._named = Budget(max_bytes=96 * 2**20, max_bodies=500)
        self._nameless = Budget(max_bytes=8 * 2**20, max_bodies=500)
        self._uploading = Budget(max_bytes=0, max_bodies=MAX_UPLOADS)
        self._uploads = 0

    @asynccontextmanager
    async def received(
        self, scope: Scope, receive: Receive, route: Route, may_upload: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[Body]:
        """Read the body, and keep it until the block ends; raise Refused.

        A file of somebody who may not send one is not read: the body is empty then, and Django says why.
        """
        length = header(scope, b"content-length")
        declared = int(length) if length.isdigit() else None
        if not declared and not header(scope, b"transfer-encoding"):
            yield None, 0
            return
        named = _names_somebody(scope)
        limit = max_bytes(route, named=named)
        larger = declared is None or declared > limit
        try:
            if route.upload and named and larger:
                if not await may_upload():
                    yield None, 0
                    return
                async with self._upload(receive, declared) as body:
                    yield body
                return
            if declared is not None and larger:
                raise Refused(too_large(limit))
            with (self._named if named else self._nameless).reading() as reading:
                try:
                    data = await reading.whole(receive, cap=limit, patience=PATIENCE)
                except BodyRefused as refused:
                    raise Refused(OF_READING.get(refused.reason) or too_large(limit)) from None
                yield io.BytesIO(data), len(data)
        except BodyRefused:
            raise Refused(BUSY) from None

    @asynccontextmanager
    async def _upload(self, receive: Receive, declared: int | None) -> AsyncIterator[Body]:
        if declared is not None and declared > max_upload():
            raise Refused(too_large(max_upload()))
        if self._uploads >= MAX_UPLOADS:
            raise Refused(BUSY)
        self._uploads += 1
        upload = Upload()
        try:
            with self._uploading.reading() as reading:
                try:
                    size = await upload.receive(reading, receive, declared or 0)
                except BodyRefused as refused:
                    raise Refused(OF_READING.get(refused.reason) or too_large(max_upload())) from None
            yield upload.file, size
        finally:
            self._uploads -= 1
            upload.close()


def _names_somebody(scope: Scope) -> bool:
    """Tell whether a session or token came along; whether it is worth anything, Django will say."""
    cookie = f"{settings.SESSION_COOKIE_NAME}=".encode()
    return bool(header(scope, b"authorization")) or any(
        name == b"cookie" and cookie in value for name, value in scope["headers"]
    )
