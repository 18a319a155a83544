"""A body is cut into items under limits, or refused with the place of the mistake; an item is decoded by itself."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.messages.cleaning import Unstorable
from profiles.messages.decoding import Body, Unreadable, decode_item, split
from profiles.messages.limits import MAX_DEPTH, MAX_EVENTS
from profiles.messages.structure import PIECE, nesting


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b"  \n", "empty_body"),
        (b"\xef\xbb\xbf", "empty_body"),
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
    with pytest.raises(Unreadable) as refused:
        split(body, batch=False)
    assert refused.value.code == code
    assert len(refused.value.message) > 10


def test_the_place_of_a_mistake_is_named() -> None:
    with pytest.raises(Unreadable, match="line 2, column 8"):
        split(b'{"a": 1,\n  "b": }', batch=False)


@pytest.mark.parametrize("levels", [MAX_DEPTH.value - 1, MAX_DEPTH.value])
def test_nesting_up_to_the_limit_is_taken(levels: int) -> None:
    assert split(nested(levels), batch=False)


def test_brackets_in_texts_do_not_hide_levels_or_feign_them() -> None:
    """Texts that close and open as many brackets as they follow: counting all of them would see two levels."""
    hidden = b'["]]"' + b',["]]"' * 80 + b',"' + b"[" * 162 + b'"' + b"]" * 81
    json.loads(hidden)
    with pytest.raises(Unreadable) as refused:
        split(b'{"batch":[{"a":' + hidden + b"}]}", batch=True)
    assert refused.value.code == "too_deep"
    assert split(b'{"batch":[{"smile":"' + b":[ " * 200 + b'"}]}', batch=True)


@pytest.mark.parametrize("count", [0, MAX_EVENTS.value - 1, MAX_EVENTS.value])
def test_a_batch_up_to_the_limit_is_taken(count: int) -> None:
    assert len(split(json.dumps({"batch": [1] * count}).encode(), batch=True).items) == count


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"batch": [1] * (MAX_EVENTS.value + 1)}, "too_many_events"),
        ({"batch": {}}, "invalid_shape"),
        ({"batch": None}, "invalid_shape"),
        ({}, "invalid_shape"),
    ],
)
def test_a_batch_of_another_shape_is_refused(value: object, code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        split(json.dumps(value).encode(), batch=True)
    assert refused.value.code == code


ODD_ITEMS = [b"1e999", b"9" * 5000, b"-" + b"9" * 20, b'"\\ud800"', b'"\\u0000"', b'{"\\u0000":1}', b"[[[[]]]]", b"{}"]


def test_an_odd_item_is_cut_out_whole_beside_its_neighbours() -> None:
    body = b'{"batch":[' + b",".join(ODD_ITEMS) + b"]}"
    items = split(body, batch=True).items
    assert len(items) == len(ODD_ITEMS)
    assert items[1] == ODD_ITEMS[1]
    assert items[3] == b'"\\ufffd"', "half a character becomes the sign for one that is missing"


def test_pairs_and_escaped_backslashes_stay_when_half_a_character_is_mended() -> None:
    item = b'["\\ud83d\\ude00","\\\\ud800","\\\\\\ud800","\\udc00\\ud800"]'
    (mended,) = split(b'{"batch":[' + item + b"]}", batch=True).items
    assert json.loads(mended) == ["😀", "\\ud800", "\\\ufffd", "\ufffd\ufffd"]


@pytest.mark.parametrize("shift", range(14))
def test_half_characters_are_mended_wherever_the_body_is_sliced(shift: int) -> None:
    text = "x" * shift + r"\ud83d\ude00\ud83d\ude00\udc00\\\ud83d" * 2500
    (mended,) = split(f'{{"batch":["{text}"]}}'.encode(), batch=True).items
    assert json.loads(mended) == "x" * shift + "😀😀\ufffd\\\ufffd" * 2500


def test_a_context_that_is_larger_than_an_event_may_be_is_refused() -> None:
    with pytest.raises(Unreadable) as refused:
        split(json.dumps({"context": {"a": "x" * 33_000}, "batch": []}).encode(), batch=True)
    assert refused.value.code == "context_too_large"


def test_numbers_beyond_what_decoders_hold_become_infinity_for_cleaning_to_name() -> None:
    assert decode_item(b'{"a":1e999,"b":' + b"9" * 5000 + b',"c":-1e999}') == {
        "a": math.inf,
        "b": math.inf,
        "c": -math.inf,
    }


def test_of_a_repeated_key_the_last_counts() -> None:
    assert decode_item(b'{"a":1,"a":2}') == {"a": 2}
    assert split(b'{"batch":[1],"batch":[2,3]}', batch=True).items == [b"2", b"3"]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"writeKey": " kb_pub_1 ", "batch": []}, "kb_pub_1"),
        ({"writeKey": None, "batch": [{"writeKey": "kb_pub_2"}]}, "kb_pub_2"),
        ({"writeKey": {"a": 1}, "batch": []}, ""),
        ({"batch": [7]}, ""),
        ({"batch": [{"writeKey": 7}]}, ""),
    ],
)
def test_a_key_is_found_in_the_body(body: dict[str, object], key: str) -> None:
    assert split(json.dumps(body).encode(), batch=True).write_key == key


def test_what_stands_beside_the_batch_is_cleaned_and_never_the_fault_of_an_item() -> None:
    body = b'{"sentAt":"2026\\u0000","context":{"a":"x\\u0000","n":1e999},"batch":[{}]}'
    parts = split(body, batch=True)
    assert (parts.sent_at, parts.context, parts.items) == ("2026", {}, [b"{}"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(JSON, st.booleans())
def test_the_depth_is_what_walking_finds(value: object, plain: bool) -> None:
    assert nesting(json.dumps(value, ensure_ascii=plain).encode("utf-8", "replace")) == depth_of(value)


@pytest.mark.parametrize("shift", range(5))
def test_the_depth_is_right_wherever_the_body_is_sliced(shift: int) -> None:
    """Escapes and quotes lie on every border between two slices for some shift."""
    value = ["[" * 7, '\\"]', "\\\\", {"a": ["{", "x" * shift]}]
    text = json.dumps([value] * 20_000).encode()
    assert len(text) > 3 * PIECE
    assert nesting(b" " * shift + text) == 4


BRACKETS = st.recursive(
    st.text('[]{}"\\,:', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\', max_size=4), inner, max_size=3),
    max_leaves=20,
)


@given(BRACKETS)
def test_the_depth_is_right_whatever_brackets_stand_in_texts(value: object) -> None:
    assert nesting(json.dumps(value).encode()) == depth_of(value)


@given(st.lists(JSON, max_size=5), st.booleans())
def test_items_are_what_the_standard_library_reads(values: list[object], plain: bool) -> None:
    text = json.dumps({"batch": values}, ensure_ascii=plain).encode("utf-8", "replace")
    expected = json.loads(text.decode())["batch"]
    items = [decode_item(item) for item in split(text, batch=True).items]
    assert _whole(items) == _whole(expected)


def _whole(value: Any) -> str:
    """Return JSON in which half characters, and numbers beyond what is taken, look the same on both sides."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(st.binary(max_size=60) | st.text('{}[]",:\\batch0u', max_size=60).map(str.encode), st.booleans())
def test_no_bytes_make_it_fail_in_another_way(body: bytes, batch: bool) -> None:
    try:
        parts = split(body, batch=batch)
    except Unreadable:
        return
    assert isinstance(parts, Body)
    for item in parts.items:
        with suppress(Unstorable):
            decode_item(item)
