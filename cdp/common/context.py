"""What the base template needs on every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from cdp.common.registry import NAV_GROUPS, NavEntry, navigation

GROUP_LABELS = {
    "today": _("Today"),
    "customers": _("Customers"),
    "reach": _("Reach"),
    "bring_in": _("Bring in"),
    "privacy": _("Privacy"),
    "system": _("System"),
}


@dataclass(frozen=True)
class NavLink:
    """A navigation entry as drawn: where it leads and whether the reader is there."""

    label: Any
    url: str
    current: bool


def chrome(request: HttpRequest) -> dict[str, Any]:
    """Return the navigation that the reader's role may see, drawn lazily (fragments never ask for it)."""
    return {"navigation": _Lazy(request)}


class _Lazy:
    """Iterate over (group label, links); empty for visitors."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def __iter__(self) -> Any:
        return iter(navigation_for(self.request))


def navigation_for(request: HttpRequest) -> list[tuple[Any, list[NavLink]]]:
    """Return the groups with the links that the reader may follow, groups without any left out."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    allowed = [entry for entry in navigation if not entry.permission or user.has_perm(entry.permission)]
    addressed = [(entry, url) for entry in allowed if (url := _address(entry))]
    here = _current(request.path, addressed)
    groups = []
    for group in NAV_GROUPS:
        mine = sorted((pair for pair in addressed if pair[0].group == group), key=lambda pair: pair[0].order)
        if mine:
            groups.append((GROUP_LABELS[group], [NavLink(entry.label, url, entry is here) for entry, url in mine]))
    return groups


def _address(entry: NavEntry) -> str:
    try:
        return reverse(entry.url_name)
    except NoReverseMatch:
        return ""


def _current(path: str, addressed: list[tuple[NavEntry, str]]) -> NavEntry | None:
    """Return the entry with the longest prefix of this path; home only on its own page."""
    best: NavEntry | None = None
    longest = 0
    for entry, url in addressed:
        prefix = entry.match or url
        hit = path == prefix if prefix == "/" else path.startswith(prefix)
        if hit and len(prefix) > longest:
            best, longest = entry, len(prefix)
    return best
