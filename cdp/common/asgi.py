"""What programs on the event loop share: the types of ASGI, and answers that a slow reader cannot make dear."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: what the server may hold of one answer at a time
PIECE = 64 * 1024
#: how long a reader may take for one piece (seconds)
PIECE_SECONDS = 30.0


class ReaderTooSlow(Exception):
    """The reader did not take the answer in time; there is nobody to tell."""


async def send_whole(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Answer with a body that is here; a long one a piece at a time, as it is taken."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if len(body) <= PIECE:
        await send({"type": "http.response.body", "body": body})
        return
    for start in range(0, len(body), PIECE):
        await send_piece(send, body[start : start + PIECE])
    await send({"type": "http.response.body", "body": b""})


async def send_piece(send: Send, piece: bytes) -> None:
    """Send one piece of a body that goes on; raise ReaderTooSlow when it is not taken."""
    try:
        async with asyncio.timeout(PIECE_SECONDS):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except TimeoutError:
        raise ReaderTooSlow from None
