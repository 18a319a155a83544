"""Cells that a spreadsheet would run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.common.formulas import escape_formula, restore_formula

ANY = st.text(alphabet=st.sampled_from("=+-@＝＋－＠;,|\t\r\n\0'\" a1"), max_size=12)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("=1+1", "'=1+1"),
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠SUM(1)", "'＠SUM(1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("Utrecht;=cmd|' /C calc'!A0", "Utrecht;'=cmd|' /C calc'!A0"),
        ("Utrecht|@SUM(1)", "Utrecht|'@SUM(1)"),
        ("[1,-5]", "[1,-5]"),  # the file's own separator: the cell is quoted
        ('a;"=1"', 'a;\'"=1"'),
        ("a\n=1", "a\n'=1"),
        ("a\t＝1", "a\t'＝1"),
        ("45,-", "45,-"),
        ("a;b;c", "a;b;c"),
        ("x=1, y-2", "x=1, y-2"),
    ],
)
def test_what_would_run_gets_an_apostrophe(text: str, escaped: str) -> None:
    assert escape_formula(text) == escaped
    assert restore_formula(escaped) == text


def test_a_comma_cuts_where_the_file_has_another_separator() -> None:
    assert escape_formula("Utrecht,@SUM(1)", ";") == "Utrecht,'@SUM(1)"
    assert escape_formula("Utrecht;@SUM(1)", ";") == "Utrecht;@SUM(1)"


@given(ANY, st.sampled_from(",;\t|"))
def test_what_is_escaped_comes_back(text: str, separator: str) -> None:
    assert restore_formula(escape_formula(text, separator), separator) == text


@given(ANY, st.sampled_from(",;\t|"), st.sampled_from(";,|\t\n"))
def test_no_piece_begins_a_formula_whatever_the_separator(text: str, own: str, other: str) -> None:
    for piece in escape_formula(text, own).split(other) if other != own else ():
        bare = piece.lstrip('"')
        assert len(bare) < 2 or bare[0] not in "=+-@＝＋－＠" or bare[1] in ";,|\t\r\n'\""
