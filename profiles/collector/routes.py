"""Which addresses are the collector's. Every one is served with and without a trailing slash, and none redirects:
a redirected POST becomes a GET in two SDK families, and the batch is lost for good.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SHORT = {
    "i": "identify",
    "t": "track",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
    "b": "batch",
}
_ENDPOINTS = (*_SHORT.values(),)


@dataclass(frozen=True)
class Route:
    """What an address is for: collect, drop, settings, source_config, nodes, script or bundle."""

    kind: str
    endpoint: str = ""
    argument: str = ""


def _fixed_routes() -> dict[str, Route]:
    routes = {f"/v1/{name}": Route("collect", name) for name in _ENDPOINTS}
    routes |= {f"/v1/{short}": Route("collect", name) for short, name in _SHORT.items()}
    batch = Route("collect", "batch")
    routes["/v1/import"] = batch  # Segment for Java, Ruby, .NET and Android
    routes["/beacon/v1/batch"] = batch  # RudderStack in a page that is being left
    routes["/b"] = routes["/import"] = batch  # mobile SDKs, whose host has no /v1
    routes["/v1/m"] = Route("drop")  # the SDKs' own statistics
    routes["/sourceConfig"] = Route("source_config")
    routes["/cluster-info"] = Route("nodes")  # RudderStack for Go: over how many servers to spread
    return routes | {f"{path}/": route for path, route in routes.items()}


_FIXED = _fixed_routes()
_PATTERNS = (
    ("settings", re.compile(r"/(?:v1/)?projects/([^/]+)/settings/?")),
    ("script", re.compile(r"/analytics\.js/v1/([^/]+)/analytics(?:\.min)?\.js")),
    (
        "bundle",
        re.compile(r"/(?:analytics\.js/v1/[^/]+/)?analytics-next/bundles/([^/]+)"),
    ),
)
#: read by programs, not written by SDKs: answered with the pages (profiles.api.segment_profiles)
READ_PREFIX = "/v1/spaces/"
_PREFIXES = ("/v1/", "/projects/", "/analytics.js/", "/analytics-next/", "/beacon/")
#: where SDKs knock whose host or path is set wrong: what is refused here is counted on the page of sources
_NEAR = re.compile(r"/v\d+(/.*)?|/({})/?".format("|".join(_ENDPOINTS)), re.DOTALL)


def route_of(path: str) -> Route | None:
    """Return what `path` is for; None when it is nothing of the collector's."""
    if path.startswith("//"):  # a host that was given with a slash at its end
        path = "/" + path.lstrip("/")
    route = _FIXED.get(path)
    if route is not None:
        return route
    for kind, pattern in _PATTERNS:
        match = pattern.fullmatch(path)
        if match:
            return Route(kind, argument=match.group(1))
    return None


def is_collection_path(path: str) -> bool:
    """Tell whether the collector answers `path`, be it with 404; everything else is Django's."""
    if path.startswith(READ_PREFIX):
        return False
    return path in _FIXED or path.startswith(_PREFIXES) or _NEAR.fullmatch(path) is not None or path.startswith("//")


def nearest_address(path: str) -> str:
    """Return where the sender of an unknown path meant to go, or ""."""
    last = path.rstrip("/").rpartition("/")[2]
    return f"/v1/{last}" if f"/v1/{last}" in _FIXED and len(last) > 1 else ""
