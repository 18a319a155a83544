"""Bodies: inflated under a cap, checked for shape, refused with the place of the mistake."""

from __future__ import annotations

import gzip
import json
import math
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.collector.decode import (
    decode_json,
    decode_request,
    depth_of,
    inflate,
    within_depth,
    without_bom,
)
from profiles.collector.errors import Refusal
from profiles.collector.limits import MAX_BODY, MAX_DEPTH, MAX_EVENTS


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize("size", [MAX_BODY.value - 1, MAX_BODY.value])
def test_a_compressed_body_up_to_the_limit_is_inflated(size: int) -> None:
    assert len(inflate(gzip.compress(b"x" * size), "gzip")) == size


@pytest.mark.parametrize("size", [MAX_BODY.value + 1, 200 * 1024 * 1024])
def test_a_bomb_is_refused_without_being_inflated(size: int) -> None:
    with pytest.raises(Refusal) as refused:
        inflate(gzip.compress(bytes(size), 1), "gzip")
    assert refused.value.code == "body_too_large"


def test_deflate_is_taken_too() -> None:
    assert inflate(zlib.compress(b"{}"), "deflate") == b"{}"


@pytest.mark.parametrize(
    ("data", "encoding", "code"),
    [
        (b"{}", "gzip", "invalid_encoding"),
        (gzip.compress(b"{}" * 100)[:-9], "gzip", "invalid_encoding"),
        (b"{}", "br", "unsupported_encoding"),
    ],
)
def test_what_cannot_be_inflated_is_refused(data: bytes, encoding: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        inflate(data, encoding)
    assert (refused.value.status, refused.value.code) == (400, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b"  \n", "empty_body"),
        (b"{", "invalid_json"),
        (b'{"a":NaN}', "invalid_json"),
        (b'{"a":-Infinity}', "invalid_json"),
        (b'{"a":1} x', "invalid_json"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        ('{"a":"é"}'.encode("utf-16"), "invalid_utf8"),
        (b"[]", "invalid_shape"),
        (b'"text"', "invalid_shape"),
        (b"null", "invalid_shape"),
        (nested(5000), "too_deep"),
        (nested(MAX_DEPTH.value + 1), "too_deep"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        decode_request(body, batch=False)
    assert (refused.value.status, refused.value.code) == (400, code)


def test_the_place_of_a_mistake_is_named() -> None:
    with pytest.raises(Refusal, match="line 2, column 8"):
        decode_request(b'{"a": 1,\n  "b": }', batch=False)


@pytest.mark.parametrize("levels", [MAX_DEPTH.value - 1, MAX_DEPTH.value])
def test_nesting_up_to_the_limit_is_taken(levels: int) -> None:
    assert decode_request(nested(levels), batch=False)


@pytest.mark.parametrize("count", [0, MAX_EVENTS.value - 1, MAX_EVENTS.value])
def test_a_batch_up_to_the_limit_is_taken(count: int) -> None:
    assert len(decode_request(json.dumps({"batch": [1] * count}).encode(), batch=True)["batch"]) == count


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"batch": [1] * (MAX_EVENTS.value + 1)}, "too_many_events"),
        ({"batch": {}}, "invalid_shape"),
        ({}, "invalid_shape"),
    ],
)
def test_a_batch_of_another_shape_is_refused(value: object, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        decode_request(json.dumps(value).encode(), batch=True)
    assert refused.value.code == code


def test_numbers_out_of_range_and_half_characters_are_left_to_the_event() -> None:
    value = decode_json(b'{"a":1e999,"b":' + b"9" * 5000 + b',"c":"\\ud800"}')
    assert value["a"] == math.inf and value["b"] == math.inf and value["c"] == "\ud800"


def test_of_a_repeated_key_the_last_counts() -> None:
    assert decode_json(b'{"a":1,"a":2}') == {"a": 2}


def test_a_byte_order_mark_is_taken_off() -> None:
    assert decode_request(without_bom(b'\xef\xbb\xbf{"a":1}'), batch=False) == {"a": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(JSON)
def test_any_json_is_read_as_the_standard_library_reads_it(value: object) -> None:
    body = json.dumps({"value": value}).encode()
    assert decode_request(body, batch=False) == json.loads(body)


@given(
    JSON.filter(lambda value: not set("[]{}") & set("".join(_texts(value)))),
    st.integers(0, 10),
)
def test_the_depth_is_judged_right_where_no_text_holds_brackets(value: object, cap: int) -> None:
    assert within_depth(json.dumps(value).encode(), cap) == (depth_of(value, cap) <= cap)


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []
