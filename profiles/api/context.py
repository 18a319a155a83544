"""The context of an event in answers of the API: whatever the SDK said of page, campaign, device and place."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

#: what says nothing of who somebody is, for readers who may not see that; by name, so that what is new stays hidden
PLAIN: dict[str, tuple[str, ...]] = {
    "page": ("path",),
    "campaign": ("name", "source", "medium", "term", "content"),
    "device": ("type", "manufacturer", "model"),
    "os": ("name", "version"),
    "app": ("name", "version", "build"),
    "library": ("name", "version"),
    "screen": ("width", "height", "density"),
    "network": ("wifi", "cellular"),
}
PLAIN_TEXTS = ("locale", "timezone")


def shown_context(context: Mapping[str, Any], *, open_names: bool) -> dict[str, Any]:
    """Return a context as a reader may see it.

    With the right to see people it is whole, with the address of the network in the place of that of the machine.
    """
    if open_names:
        return {**context, **({"ip": truncated(context["ip"])} if context.get("ip") else {})}
    shown: dict[str, Any] = {}
    for name, fields in PLAIN.items():
        part = context.get(name)
        if isinstance(part, Mapping):
            kept = {field: part[field] for field in fields if isinstance(part.get(field), str | int | float | bool)}
            if kept:
                shown[name] = kept
    return shown | {name: context[name] for name in PLAIN_TEXTS if isinstance(context.get(name), str)}


def truncated(text: Any) -> str:
    """Return the network (/24, or /48 of IPv6) of an address; nothing of what is none."""
    try:
        address = ip_address(str(text).strip())
    except ValueError:
        return ""
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False).network_address)
