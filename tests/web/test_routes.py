"""Which threads answer an address, and how much may be sent to it."""

from __future__ import annotations

import pytest

from cdp.web.routes import (
    API,
    BULK_BYTES,
    LINKS,
    NAMELESS_BYTES,
    PAGES,
    SIGN_IN,
    USUAL_BYTES,
    Pool,
    max_bytes,
    route_of,
)


@pytest.mark.parametrize(
    ("path", "pool", "limit", "upload"),
    [
        ("/", PAGES, USUAL_BYTES, False),
        ("/people/", PAGES, USUAL_BYTES, False),
        ("/login/", SIGN_IN, NAMELESS_BYTES, False),
        ("/u/token/", LINKS, NAMELESS_BYTES, False),
        ("/preferences/token/", LINKS, NAMELESS_BYTES, False),
        ("/imports/new/", PAGES, USUAL_BYTES, True),
        ("/imports/7/", PAGES, USUAL_BYTES, False),
        ("/api/v1/imports/", API, USUAL_BYTES, True),
        ("/api/v1/profiles/", API, USUAL_BYTES, False),
        ("/api/v1/profiles/bulk/", API, BULK_BYTES, False),
        ("/v1/spaces/shop/collections/users/profiles/user_id:1/traits", API, USUAL_BYTES, False),
        ("/api/v1/imports/7/", API, USUAL_BYTES, False),
    ],
)
def test_every_address_has_its_threads_and_its_limit(path: str, pool: Pool, limit: int, upload: bool) -> None:
    route = route_of(path)
    assert (route.pool, route.max_bytes, route.upload) == (pool, limit, upload)
    assert max_bytes(route, named=True) == limit
    assert max_bytes(route, named=False) == NAMELESS_BYTES
