"""What is kept of a request as evidence: enough to show what happened, no more than needed."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from cdp.common.access import client_ip


def kept_address(text: str | None) -> str:
    """Return an IP address as it is kept: its network only (/24, /48), unless the setting says whole."""
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if not settings.TRUNCATE_IP:
        return str(address)
    network = ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False)
    return str(network.network_address)


def evidence_of(request: HttpRequest, *, page: str, **more: Any) -> dict[str, Any]:
    """Return where and how somebody spoke: page, address, browser, and what else the page knows."""
    return {
        "page": page,
        "ip": kept_address(client_ip(request)),
        "user_agent": request.headers.get("User-Agent", "")[:400],
        **{key: value for key, value in more.items() if value},
    }
