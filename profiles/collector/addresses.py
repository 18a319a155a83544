"""Client addresses: cut to a network by default, because a whole address is rarely needed (GDPR art. 25)."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=8192)
def stored_address(text: str, truncate: bool) -> bytes | None:
    """Return PostgreSQL's binary inet of an address, cut to /24 (IPv6: /48) with `truncate`; None if unreadable."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    packed, keep, family = (address.packed, 3, 2) if address.version == 4 else (address.packed, 6, 3)
    if truncate:
        packed = packed[:keep] + bytes(len(packed) - keep)
    return bytes((family, len(packed) * 8, 0, len(packed))) + packed
