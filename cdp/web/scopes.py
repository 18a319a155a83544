"""What a request says of itself, as far as it may be believed, and as WSGI can carry it."""

from __future__ import annotations

import io
from typing import IO, Any, cast
from urllib.parse import quote

from a2wsgi.wsgi import build_environ

from cdp.common.asgi import Scope


def believe_proxy(scope: Scope) -> None:
    """Take the client's address and scheme from the proxy: the last entry is the one that it wrote itself."""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            scope["client"] = (value.decode("latin-1").rpartition(",")[2].strip(), 0)
        elif name == b"x-forwarded-proto" and value in (b"http", b"https"):
            scope["scheme"] = value.decode()


def header(scope: Scope, name: bytes) -> bytes:
    """Return a header's value; empty when there is none."""
    return next((value for found, value in scope["headers"] if found == name), b"")


def environ_of(scope: Scope, body: IO[bytes] | None, size: int) -> dict[str, Any]:
    """Return the request for WSGI with its whole body: an ASCII query, and no header that passes for another.

    `X_Forwarded_For` and `X-Forwarded-For` are one variable in WSGI; a proxy removes only the second.
    """
    query = scope["query_string"]
    if not query.isascii():
        query = quote(query, safe="%&=+/:;,?@!$'()*~").encode()
    # The body is here: its length is known, however it came.
    left_out = (b"content-length", b"transfer-encoding")
    headers = [(name, value) for name, value in scope["headers"] if b"_" not in name and name not in left_out]
    cookies = [value for name, value in headers if name == b"cookie"]
    if len(cookies) > 1:
        headers = [pair for pair in headers if pair[0] != b"cookie"] + [(b"cookie", b"; ".join(cookies))]
    if size or scope["method"] in ("POST", "PUT", "PATCH"):
        headers.append((b"content-length", str(size).encode()))
    path = scope["path"].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    plain = {**scope, "query_string": query, "headers": headers, "path": path}
    return cast(dict[str, Any], build_environ(cast(Any, plain), cast(Any, body or io.BytesIO())))
