"""Compressed bodies: inflated under a cap, whatever their ratio and however many members they have."""

from __future__ import annotations

import gzip
import zlib

import pytest

from profiles.collector.errors import Refusal
from profiles.collector.inflating import MAX_MEMBERS, inflate
from profiles.messages.limits import MAX_BODY


@pytest.mark.parametrize("size", [MAX_BODY.value - 1, MAX_BODY.value])
def test_a_compressed_body_up_to_the_limit_is_inflated(size: int) -> None:
    assert len(inflate(gzip.compress(b"x" * size), "gzip", MAX_BODY)) == size


@pytest.mark.parametrize("size", [MAX_BODY.value + 1, 200 * 1024 * 1024])
def test_a_bomb_is_refused_without_being_inflated(size: int) -> None:
    with pytest.raises(Refusal) as refused:
        inflate(gzip.compress(bytes(size), 1), "gzip", MAX_BODY)
    assert refused.value.code == "body_too_large"


def test_deflate_is_taken_too() -> None:
    assert inflate(zlib.compress(b"{}"), "deflate", MAX_BODY) == b"{}"


def test_a_body_of_several_members_is_put_together() -> None:
    body = b'{"batch":[]}'
    members = [gzip.compress(body[start : start + 3]) for start in range(0, len(body), 3)]
    assert inflate(b"".join(members), "gzip", MAX_BODY) == body
    assert inflate(gzip.compress(body) + bytes(512), "gzip", MAX_BODY) == body, "padding is no member"


def test_members_share_one_cap_and_have_one_of_their_own() -> None:
    half = gzip.compress(bytes(MAX_BODY.value // 2 + 1))
    with pytest.raises(Refusal) as refused:
        inflate(half + half, "gzip", MAX_BODY)
    assert refused.value.code == "body_too_large"
    with pytest.raises(Refusal) as refused:
        inflate(gzip.compress(b"") * (MAX_MEMBERS + 1), "gzip", MAX_BODY)
    assert refused.value.code == "invalid_encoding"


@pytest.mark.parametrize(
    ("data", "encoding", "code"),
    [
        (b"{}", "gzip", "invalid_encoding"),
        (gzip.compress(b"{}" * 100)[:-9], "gzip", "invalid_encoding"),
        (gzip.compress(b"{}") + gzip.compress(b"{}" * 100)[:-9], "gzip", "invalid_encoding"),
        (b"{}", "br", "unsupported_encoding"),
    ],
)
def test_what_cannot_be_inflated_is_refused(data: bytes, encoding: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        inflate(data, encoding, MAX_BODY)
    assert (refused.value.status, refused.value.code) == (400, code)
