"""The context of an event in answers of the API: whatever the SDK said of page, campaign, device and place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from cdp.common.masking import Reader

#: what a reader may get who may not see people, by name, so that what is new stays hidden. A path and the words of a
#: campaign are not among it: links put names and addresses into them
PLAIN: dict[str, tuple[str, ...]] = {
    "device": ("type",),
    "os": ("name", "version"),
    "app": ("version", "build"),
    "library": ("name", "version"),
    "screen": ("width", "height", "density"),
    "network": ("wifi", "cellular"),
}
PLAIN_TEXTS = ("locale",)
#: words of these places that stand for nobody; a source may write anything there
_WORDS = """
phone tablet computer desktop mobile tv watch ios ipados android web windows macos linux chromeos analytics.js
analytics-node analytics-python analytics-go analytics-java analytics-ios analytics-android analytics-ruby analytics-php
@segment/analytics-next @segment/analytics-node rudder-sdk-js rudderlabs
"""
_KNOWN = frozenset(_WORDS.split())
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,6}){0,3}")
_LOCALE = re.compile(r"[a-z]{2}([-_][A-Z]{2})?")


def shown_context(context: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    """Return a context as a reader may see it.

    With the right to see people it is whole, with the address of the network in the place of that of the machine.
    """
    if reader.sees_people:
        return {**context, **({"ip": truncated(context["ip"])} if context.get("ip") else {})}
    shown: dict[str, Any] = {}
    for name, fields in PLAIN.items():
        part = context.get(name)
        if isinstance(part, Mapping):
            kept = {field: part[field] for field in fields if _is_plain(part.get(field))}
            if kept:
                shown[name] = kept
    texts = {name: context.get(name) for name in PLAIN_TEXTS}
    return shown | {name: text for name, text in texts.items() if isinstance(text, str) and _LOCALE.fullmatch(text)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in _KNOWN or _VERSION.fullmatch(value) is not None
    return isinstance(value, bool | int | float) and abs(value) < 100_000


def truncated(text: Any) -> str:
    """Return the network (/24, or /48 of IPv6) of an address; nothing of what is none."""
    try:
        address = ip_address(str(text).strip())
    except ValueError:
        return ""
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False).network_address)
