"""Say in a few words what an interaction was. Pure functions; personal properties are never part of the words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdp.common.masking import DOTS, is_personal

MAX_WORDS = 120
#: timeline chip -> how the names of its interactions begin; what fits none is `web`
NAME_STARTS: dict[str, tuple[str, ...]] = {
    "order": ("Order ", "Checkout ", "Payment ", "Coupon ", "Subscription "),
    "message": ("Email ", "Push ", "SMS ", "Message ", "Newsletter "),
}
#: weighty things that get a filled dot
MAJOR = ("Order Completed", "Signed Up", "Account Created", "Subscription Started", "Order Refunded")
#: kinds of devices that sources name
DEVICES = frozenset(
    {"phone", "tablet", "computer", "desktop", "mobile", "tv", "watch", "ios", "android", "web", "server"}
)
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}


def kind_of(name: str) -> str:
    """Return the timeline chip that an interaction belongs to."""
    for kind, starts in NAME_STARTS.items():
        if name.startswith(starts):
            return kind
    return "web"


def describe(kind: str, name: str, properties: Mapping[str, Any]) -> str:
    """Return the detail that follows the name: the page, the product, the amount."""
    if kind in ("page", "screen"):
        return _short(_first(properties, "title", "name", "path", "url"))
    if kind in ("identify", "group", "alias"):
        return ""
    amount = money(properties)
    products = properties.get("products")
    if isinstance(products, list) and products:
        parts = [amount, f"{len(products)} lines" if len(products) > 1 else _product(products[0])]
    else:
        named = _first(properties, "product_name", "name", "title", "subject", "campaign", "query", "label", "path")
        parts = [named, amount]
    detail = ", ".join(part for part in parts if part)
    return _short(detail or _any_property(properties))


def without_masks(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return masked properties without those of which nothing is left to show."""
    kept = {key: value for key, value in properties.items() if value != DOTS}
    products = kept.get("products")
    if isinstance(products, list):
        kept["products"] = [without_masks(item) if isinstance(item, Mapping) else item for item in products]
    return kept


def money(properties: Mapping[str, Any]) -> str:
    """Return an amount with its currency: `€89.00`; empty when there is none."""
    for key in ("total", "revenue", "value", "price"):
        value = properties.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            currency = str(properties.get("currency") or "")[:3].upper()
            figure = f"{value:,.2f}"
            return f"{_SIGNS[currency]}{figure}" if currency in _SIGNS else f"{figure} {currency}".strip()
    return ""


def device_of(context: Mapping[str, Any]) -> str:
    """Return what it was done with, roughly: phone, tablet, computer, or the sending library's side."""
    agent = context.get("userAgent")
    if isinstance(agent, str) and agent:
        if "iPad" in agent or "Tablet" in agent:
            return "tablet"
        return "phone" if "Mobi" in agent or "iPhone" in agent else "computer"
    device = context.get("device")
    kind = device.get("type") if isinstance(device, Mapping) else None
    # A source may write anything here: only what names a kind of device is taken over.
    return kind.lower() if isinstance(kind, str) and kind.lower() in DEVICES else ""


def campaign_of(context: Mapping[str, Any]) -> str:
    """Return the campaign that a visit says it came from."""
    campaign = context.get("campaign")
    if not isinstance(campaign, Mapping):
        return ""
    return _short(_first(campaign, "name", "source"))


def _first(properties: Mapping[str, Any], *keys: str) -> str:
    for key in keys:
        value = properties.get(key)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    return ""


def _product(product: Any) -> str:
    return _first(product, "name", "product_name", "sku") if isinstance(product, Mapping) else ""


def _any_property(properties: Mapping[str, Any]) -> str:
    for key, value in properties.items():
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value and not is_personal(key):
            return f"{key}: {value}"
    return ""


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_WORDS else flat[: MAX_WORDS - 1] + "…"
