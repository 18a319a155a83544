"""Cross-origin rules of the collector: any page may ask, unless the source lists the pages that may."""

from __future__ import annotations

from collections.abc import Iterable

from profiles.collector.errors import Refusal

#: what SDKs put on their requests; the Authorization header forces a preflight on every origin
ALLOWED_HEADERS = (
    "authorization, content-type, content-encoding, x-retry-count, anonymousid, sentat, rsa-retry-attempt, "
    "rsa-retry-reason, rsa-since-last-attempt, rsa-since-first-attempt, rsa-recovered"
)
_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", ALLOWED_HEADERS.encode()),
    (b"access-control-max-age", b"86400"),
    (b"content-length", b"0"),
]


def origin_allowed(origin: str, allowed: Iterable[str]) -> bool:
    """Tell whether `origin` (scheme://host[:port]) is in the list; `https://*.example.org` covers every sub-domain."""
    wanted = origin.lower().rstrip("/")
    for entry in allowed:
        rule = entry.lower().rstrip("/")
        if rule == wanted or rule == "*":
            return True
        scheme, star, suffix = rule.partition("://*.")
        if star and wanted.startswith(f"{scheme}://") and wanted.endswith(f".{suffix}"):
            return True
    return False


def foreign_page(source_id: int | None = None) -> Refusal:
    """Return the refusal of a page that no list names; of which source is not known before the key is."""
    return Refusal(403, "origin_not_allowed", "This page's origin is not in the source's list.", source_id=source_id)


def answer_headers(origin: bytes, *, named: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers that let a page read the answer, and its Retry-After.

    `navigator.sendBeacon` and `fetch(credentials: "include")` send cookies along; browsers want a word more for that,
    and a page gets it whose origin is `named` in a source's list. The collector reads no cookie.
    """
    if not origin:
        return []
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"Retry-After, X-RateLimit-Reset"),
        (b"vary", b"Origin"),
    ]
    return [*headers, (b"access-control-allow-credentials", b"true")] if named else headers


def preflight_headers(origin: bytes, *, allowed: bool, named: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers of the answer to OPTIONS; without `allowed` the browser will not send the request."""
    if not origin or not allowed:
        return [(b"vary", b"Origin"), (b"content-length", b"0")]
    return [*answer_headers(origin, named=named), *_PREFLIGHT]
