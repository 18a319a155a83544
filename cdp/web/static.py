"""Static files from the event loop: WhiteNoise knows the files, their encodings and headers.

They are sent piece by piece: no thread and no more than a piece in memory for each reader, however slow it is.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from whitenoise.middleware import WhiteNoiseMiddleware

from cdp.common.asgi import PIECE, Headers, ReaderTooSlow, Scope, Send, send_piece, send_whole
from cdp.page_headers import ALWAYS
from cdp.web.scopes import header

_ASKED = {
    b"accept-encoding": "HTTP_ACCEPT_ENCODING",
    b"if-none-match": "HTTP_IF_NONE_MATCH",
    b"if-modified-since": "HTTP_IF_MODIFIED_SINCE",
    b"range": "HTTP_RANGE",
    b"if-range": "HTTP_IF_RANGE",
}


class StaticFiles:
    """Answer what lies below STATIC_URL."""

    def __init__(self) -> None:
        self._files = WhiteNoiseMiddleware(lambda _request: None)
        self._extra: Headers = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]
        if settings.SECURE_HSTS_SECONDS:
            value = f"max-age={settings.SECURE_HSTS_SECONDS}"
            self._extra.append((b"strict-transport-security", value.encode()))

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """Answer when the address is that of a static file, there or not; tell whether it was."""
        path = scope["path"]
        if not path.startswith(settings.STATIC_URL):
            return False
        file = self._files.find_file(path) if self._files.autorefresh else self._files.files.get(path)
        if file is None:
            await send_whole(send, 404, [*self._extra, (b"content-length", b"0")], b"")
            return True
        asked = {name: value for name in _ASKED if (value := header(scope, name))}
        response = file.get_response(scope["method"], {_ASKED[k]: v.decode("latin-1") for k, v in asked.items()})
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers]
        try:
            await _send(send, int(response.status), headers + self._extra, response.file)
        except ReaderTooSlow:
            return True
        return True


async def _send(send: Send, status: int, headers: Headers, file: Any) -> None:
    if file is None:
        await send_whole(send, status, headers, b"")
        return
    with file:
        piece = file.read(PIECE)
        following = file.read(PIECE)
        if not following:
            await send_whole(send, status, headers, piece)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while piece:
            await send_piece(send, piece)
            piece, following = following, file.read(PIECE)
        await send({"type": "http.response.body", "body": b""})
