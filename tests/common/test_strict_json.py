"""The parser of API bodies: what PostgreSQL cannot hold is refused at once, with a sentence."""

from __future__ import annotations

import io

import pytest
from rest_framework.exceptions import ParseError

from cdp.common.api import StrictJSONParser


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b'{"a": 99999999999999999999}',
        b'{"a": "x\\u0000y"}',
        b'{"a\\u0000": 1}',
        b'{"a": "\\ud800"}',
        b"{" * 5,
        b"[" * 5000 + b"]" * 5000,
        b"[" * 50 + b"]" * 50,
        b'{"a": "\xff"}',
        b"",
    ],
)
def test_what_cannot_be_stored_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        StrictJSONParser().parse(io.BytesIO(body))


def test_ordinary_json_passes_with_or_without_a_byte_order_mark() -> None:
    assert StrictJSONParser().parse(io.BytesIO(b'\xef\xbb\xbf{"a": [1, 2.5, "\xc3\xa9", null]}')) == {
        "a": [1, 2.5, "é", None]
    }
