"""Take the Content-Encoding off a body, under a cap."""

from __future__ import annotations

import zlib

from profiles.collector.errors import Refusal
from profiles.messages.limits import Limit

_GZIP = b"\x1f\x8b"
#: streams that are joined to one file; each costs a copy of what is left
MAX_MEMBERS = 100


def inflate(data: bytes, encoding: str, limit: Limit) -> bytes:
    """Return the body without its Content-Encoding; stop at the cap, whatever ratio the sender claims."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return data
    if name not in ("gzip", "x-gzip", "deflate"):
        raise Refusal(
            400, "unsupported_encoding", f"Content-Encoding {name[:40]!r} is not supported; use gzip or none."
        )
    parts: list[bytes] = []
    room = limit.value
    for _member in range(MAX_MEMBERS):
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, by its header
        try:
            part = inflater.decompress(data, room + 1)
        except zlib.error as error:
            raise Refusal(400, "invalid_encoding", f"The body is not valid {name}: {error}.") from None
        if len(part) > room:
            raise too_large(limit)
        if not inflater.eof:
            raise Refusal(400, "invalid_encoding", f"The {name} body breaks off before its end.")
        parts.append(part)
        room -= len(part)
        data = inflater.unused_data
        if not data.startswith(_GZIP):  # a file may have several members (RFC 1952, 2.2)
            return b"".join(parts)
    raise Refusal(400, "invalid_encoding", f"The {name} body has more than {MAX_MEMBERS} members.")


def too_large(limit: Limit) -> Refusal:
    """Return the refusal of a body over the limit; 400, because SDKs never retry it (a proxy's 413 some do)."""
    return Refusal(400, limit.code, f"The {limit.name} is over {limit.value:,} bytes; send smaller batches.")
