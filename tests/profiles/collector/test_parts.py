"""The small parts of the collector: keys, origins, addresses, buckets, routes."""

from __future__ import annotations

import base64

import pytest

from profiles.collector.addresses import stored_address
from profiles.collector.buckets import Buckets
from profiles.collector.cors import origin_allowed
from profiles.collector.keys import key_from_headers, key_from_query
from profiles.collector.routes import is_collection_path, route_of
from profiles.messages.limits import LIMITS


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (basic("kb_pub_1:"), "kb_pub_1"),
        (basic("kb_pub_1"), "kb_pub_1"),  # some SDKs forget the colon
        (basic("kb_pub_1:password"), "kb_pub_1"),
        (b"basic " + base64.b64encode(b"kb_pub_1:").rstrip(b"="), "kb_pub_1"),
        (b"Bearer kb_pub_1", "kb_pub_1"),
        (b"Basic !!!", ""),
        (b"Digest x", ""),
        (b"", ""),
    ],
)
def test_a_key_is_found_in_the_header(header: bytes, key: str) -> None:
    assert key_from_headers(header) == key


def test_a_key_is_found_in_the_query() -> None:
    assert key_from_query(b"a=1&writeKey=kb_pub_1") == "kb_pub_1"
    assert key_from_query(b"key=x") == ""


@pytest.mark.parametrize(
    ("origin", "allowed", "answer"),
    [
        ("https://www.example.org", ["https://www.example.org"], True),
        ("https://WWW.example.org", ["https://www.example.org/"], True),
        ("http://www.example.org", ["https://www.example.org"], False),
        ("https://shop.example.org", ["https://*.example.org"], True),
        ("https://example.org", ["https://*.example.org"], False),
        ("https://evilexample.org", ["https://*.example.org"], False),
        ("https://shop.example.org.evil.example", ["https://*.example.org"], False),
        ("null", ["https://www.example.org"], False),
    ],
)
def test_origins_are_compared_whole(origin: str, allowed: list[str], answer: bool) -> None:
    assert origin_allowed(origin, allowed) is answer


@pytest.mark.parametrize(
    ("text", "truncate", "packed"),
    [
        ("203.0.113.77", True, bytes([2, 32, 0, 4, 203, 0, 113, 0])),
        ("203.0.113.77", False, bytes([2, 32, 0, 4, 203, 0, 113, 77])),
        ("::ffff:203.0.113.77", True, bytes([2, 32, 0, 4, 203, 0, 113, 0])),
        (
            "2001:db8:1:2::3",
            True,
            bytes([3, 128, 0, 16, 0x20, 1, 0xD, 0xB8, 0, 1]) + bytes(10),
        ),
        (
            "fe80::1%eth0",
            False,
            bytes([3, 128, 0, 16, 0xFE, 0x80]) + bytes(13) + b"\x01",
        ),
        ("unknown", True, None),
    ],
)
def test_addresses_are_cut_to_their_network(text: str, truncate: bool, packed: bytes | None) -> None:
    assert stored_address(text, truncate) == packed


def test_a_bucket_lets_the_rate_through_and_says_when_to_come_back() -> None:
    buckets = Buckets(10)
    assert buckets.take(1, 20, now=0) == 0
    assert buckets.take(1, 1, now=0) == 1
    assert buckets.take(2, 20, now=0) == 0, "each key has its own"
    assert buckets.take(1, 10, now=1) == 0
    assert buckets.take(1, 25, now=1) == 2
    assert buckets.take(1, 25, now=3) == 0, "more than the burst passes when the bucket is full"


def test_without_a_rate_nothing_is_limited() -> None:
    assert Buckets(0).take(1, 10**9, now=0) == 0


@pytest.mark.parametrize(
    "path",
    [
        "/v1/track",
        "/v1/t",
        "/v1/batch",
        "/v1/b",
        "/b",
        "/v1/identify",
        "/v1/alias",
        "/v1/m",
    ],
)
def test_every_address_is_served_with_and_without_a_slash(path: str) -> None:
    assert route_of(path) is not None
    assert route_of(path) == route_of(path + "/")


@pytest.mark.parametrize("path", ["/", "/people/", "/analytics/", "/api/v1/track", "/live/", "/bb", "/imports/"])
def test_other_addresses_are_not_the_collectors(path: str) -> None:
    assert not is_collection_path(path)


def test_every_limit_says_what_it_is() -> None:
    assert len({limit.name for limit in LIMITS}) == len(LIMITS)
    assert all(limit.value > 0 and limit.unit and limit.why for limit in LIMITS)
