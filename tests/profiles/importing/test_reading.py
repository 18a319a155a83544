"""Reading files: encodings, delimiters, and what broken lines cost."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.common.formulas import escape_formula, restore_formula
from profiles.importing.checking import Guess, check_list, check_yes_no, date_check, guess_type, number_check
from profiles.importing.decoding import (
    ENCODINGS,
    EncodingDetector,
    as_read,
    detect_encoding,
    foreign_file,
    reader_encoding,
    telling_bytes,
)
from profiles.importing.dialect import MAX_CELL, MAX_LINE, BrokenRow, Row, read_rows, sniff_delimiter
from profiles.importing.headers import fingerprint, guess_target, name_columns, trait_key

CELL = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


def rows_of(text: str, delimiter: str = ",") -> list[Row | BrokenRow]:
    return list(read_rows(io.StringIO(text, newline=""), delimiter))


def short(rows: list[Row | BrokenRow]) -> list[tuple[int, str]]:
    return [(row.line, row.code if isinstance(row, BrokenRow) else "ok") for row in rows]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_the_encoding_of_western_text_is_found(codec: str) -> None:
    text = "naam;plaats\nJosé Müller;'s-Hertogenbosch\ncrème brûlée;Köln\n"
    content = text.encode(codec)
    found = detect_encoding(content)
    assert content.decode(reader_encoding(found)) == text


@given(st.text(max_size=60), st.integers(min_value=1, max_value=7))
def test_pieces_of_any_size_give_the_same_answer(text: str, size: int) -> None:
    content = text.encode("utf-8", "surrogatepass")
    detector = EncodingDetector()
    for start in range(0, len(content), size):
        detector.feed(content[start : start + size])
    assert detector.result() == detect_encoding(content)


@given(
    st.binary(max_size=300),
    st.sampled_from(["utf-8", "utf-16", "utf-32", "cp1252", "utf-16-le"]),
    st.sampled_from(";,\t|"),
)
def test_no_bytes_whatever_stop_the_reader(content: bytes, codec: str, delimiter: str) -> None:
    mark = {"utf-16": b"\xff\xfe", "utf-32": b"\xff\xfe\0\0"}.get(codec, b"")
    raw = io.TextIOWrapper(
        io.BytesIO(mark + content), encoding=reader_encoding(codec), errors="klantbeeld.mark", newline=""
    )
    for row in read_rows(raw, delimiter):
        text = row.text if isinstance(row, BrokenRow) else "".join(row.cells)
        assert "\0" not in text
        text.encode()  # no half characters, so PostgreSQL takes it


def test_a_workbook_is_known_by_its_first_bytes() -> None:
    assert foreign_file(b"PK\x03\x04...") == "import.file_is_workbook"
    assert foreign_file(b"email,name") == ""


@given(
    st.lists(st.lists(CELL, min_size=3, max_size=3).filter(lambda cells: any(cells)), min_size=1, max_size=8),
    st.sampled_from(";,\t|"),
)
def test_what_csv_writes_is_read_back(table: list[list[str]], delimiter: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *table])
    assert [row.cells for row in rows_of(buffer.getvalue(), delimiter) if isinstance(row, Row)] == [
        ["a", "b", "c"],
        *table,
    ]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    lines = [["email", "name", "note"], ["a@b.nl", "Anna", "1,5"], ["c@d.nl", "Bob", "x"], ["e@f.nl", "Cor", ""]]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(lines)
    assert sniff_delimiter(buffer.getvalue()) == delimiter


def test_excels_own_word_on_the_delimiter_is_heeded_and_is_no_header() -> None:
    text = "sep=;\nemail;name\na@b.nl;Anna\n"
    assert sniff_delimiter(text) == ";"
    assert rows_of(text, ";")[0] == Row(2, ["email", "name"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a,b\n1,2\n3,"x\n4,5\n6,7\n', [(1, "ok"), (2, "ok"), (3, "unbalanced_quote"), (4, "ok"), (5, "ok")]),
        ('a,b\n1,"x\n2,"y"\n3,z\n', [(1, "ok"), (2, "unbalanced_quote"), (3, "ok"), (4, "ok")]),
        ('a,b\n1,"two\nlines"\n3,4\n', [(1, "ok"), (2, "ok"), (4, "ok")]),
        ("a,b\n1\n1,2,3\n1,2,\n", [(1, "ok"), (2, "ragged"), (3, "ragged"), (4, "ok")]),
        ("a,b\n1,\0\n3,4\n", [(1, "ok"), (2, "nul"), (3, "ok")]),
        ("a,b\r1,2\r3,4\r", [(1, "ok"), (2, "ok"), (3, "ok")]),
        ("a,b\n\n\n3,4\n", [(1, "ok"), (4, "ok")]),
        (f"a,b\n1,{'x' * (MAX_CELL + 1)}\n3,4\n", [(1, "ok"), (2, "cell_too_long"), (3, "ok")]),
        (f'a,b\n1,"{"x" * (MAX_CELL + 1)}\n3,4\n', [(1, "ok"), (2, "cell_too_long"), (3, "ok")]),
        (f"a,b\n{'x,' * MAX_LINE}\n3,4\n", [(1, "ok"), (2, "line_too_long"), (3, "ok")]),
    ],
)
def test_a_broken_line_costs_one_row(text: str, expected: list[tuple[int, str]]) -> None:
    assert short(rows_of(text)) == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_formulas_go_out_harmless_and_come_back_the_same(text: str) -> None:
    assert restore_formula(escape_formula(text)) == text
    assert escape_formula(text)[:1] not in tuple("=+-@\t\r\n\0") or not text


@pytest.mark.parametrize(
    ("text", "comma", "value"),
    [
        ("1.234,56", True, 1234.56),
        ("1,234.56", False, 1234.56),
        ("€ 12,50", True, 12.5),
        ("-3", True, -3),
        ("12.5", False, 12.5),
        ("1.2.3", True, None),
        ("twelve", True, None),
        ("NaN", True, None),
        ("1e9", True, None),
        ("9" * 40, True, None),
    ],
)
def test_numbers(text: str, comma: bool, value: float | None) -> None:
    assert number_check(comma)(text)[0] == value


@pytest.mark.parametrize(
    ("text", "day_first", "value"),
    [
        ("31-12-2026", True, "2026-12-31"),
        ("12/31/2026", False, "2026-12-31"),
        ("2026-12-31", True, "2026-12-31"),
        ("31.12.2026 9:05", True, "2026-12-31T09:05:00"),
        ("2026-12-31T10:00:00Z", True, "2026-12-31T10:00:00+00:00"),
        ("31-02-2026", True, None),
        ("12/31/2026", True, None),
        ("1-2-26", True, None),
        ("tomorrow", True, None),
    ],
)
def test_dates(text: str, day_first: bool, value: str | None) -> None:
    assert date_check(day_first)(text)[0] == value


def test_yes_no_and_lists() -> None:
    assert [check_yes_no(word)[0] for word in ("Ja", "nein", "1", "off")] == [True, False, True, False]
    assert check_yes_no("maybe") == (None, "not_yes_or_no")
    assert check_list("a; b;;a") == (["a", "b"], "")
    assert check_list(";".join(map(str, range(101))))[1] == "list_too_long"


@given(st.text(max_size=30))
def test_no_cell_stops_a_check(text: str) -> None:
    for check in (
        number_check(True),
        number_check(False),
        date_check(True),
        date_check(False),
        check_yes_no,
        check_list,
    ):
        value, code = check(text)
        assert code or value is not None


@pytest.mark.parametrize(
    ("cells", "guess"),
    [
        (["31-12-2020", "01-02-1999"], Guess("date")),
        (["12/31/2020", "01/02/2020"], Guess("date", day_first=False)),
        (["31/12/2020", "01/02/2020"], Guess("date")),
        (["01/02/2020", "03/04/2020"], Guess("date", unclear=True)),
        (["01-02-2020", "2020-03-04"], Guess("date")),
        (["31/12/2020", "12/31/2020"], Guess("date", day_first=False, unclear=True)),
        (["1.5", "20.25"], Guess("number", decimal_comma=False)),
        (["6.625", "1.250"], Guess("number", unclear=True)),
        (["6,625", "12"], Guess("number", unclear=True)),
        (["6.625", "12,5"], Guess("number")),
        (["6.625", "6.6"], Guess("number", decimal_comma=False)),
        (["0.625", "6.625"], Guess("number", decimal_comma=False)),
        (["1.234,56", "1,234.56"], Guess("number", decimal_comma=False, unclear=True)),
        (["-€ 45,00", "45,-", "(3)", "12 %"], Guess("number")),
        (["12", "13"], Guess("number")),
        (["31-02-1990", "1-2-1990", "3-4-1990"], Guess("date")),
        (["31-02-1990"], Guess("text")),
        ([*["1-2-1990"] * 9, "unknown"], Guess("date")),
        (["1-2-1990", "unknown"], Guess("text")),
        ([*["12,5"] * 20, "none"], Guess("number")),
        (["1", "3", "12-bis"], Guess("text")),
        (["ja", "nee"], Guess("yesno")),
        (["0612345678", "0401234567"], Guess("text")),
        ([], Guess("text")),
    ],
)
def test_the_type_is_decided_by_the_column_as_a_whole(cells: list[str], guess: Guess) -> None:
    assert guess_type(cells) == guess


@pytest.mark.parametrize(
    ("text", "comma", "value"),
    [
        ("-€ 45,00", True, -45),
        ("€ -45,00", True, -45),
        ("€-45", True, -45),
        ("45,-", True, 45),
        ("€ 1.250,--", True, 1250),
        ("45-", True, -45),
        ("(45,00)", True, -45),
        ("(€ 45)", True, -45),
        ("1 234,56", True, 1234.56),
        ("1\u202f234,56", True, 1234.56),
        ("1'234.56", False, 1234.56),
        ("−12", True, -12),
        ("12,5 %", True, 12.5),
        ("12,50 EUR", True, 12.5),
        (",5", True, 0.5),
        ("１２", True, 12),
        ("6.625", True, 6625),
        ("6.625", False, 6.625),
        ("0.625", True, None),
        ("6.62", True, None),
        ("--3", True, None),
        ("-(3)", True, None),
        ("1.2.3", True, None),
        ("12 34", True, None),
        ("%", True, None),
    ],
)
def test_amounts_as_people_write_them(text: str, comma: bool, value: float | None) -> None:
    assert number_check(comma)(text) == ((value, "") if value is not None else (None, "not_a_number"))


@given(st.decimals(-(10**9), 10**9, places=2), st.sampled_from(["{}", "€ {}", "{} EUR", "{}%", " {} "]))
def test_a_number_written_the_dutch_way_comes_back(number: Decimal, form: str) -> None:
    written = f"{number:,.2f}".translate(str.maketrans(",.", ".,"))
    assert number_check(True)(form.format(written)) == (float(number), "")


@pytest.mark.parametrize("encoding", sorted(set(ENCODINGS) - {"utf-16", "utf-16-le", "utf-16-be"}))
def test_each_encoding_shows_the_word_that_tells_it(encoding: str) -> None:
    assert telling_bytes("naam;stad\nJan;Ede\n".encode(encoding)) == b""
    word = "Jörg" if encoding not in ("cp1251", "cp1253") else {"cp1251": "Ёж", "cp1253": "Ζωή"}[encoding]
    sample = telling_bytes(f'naam;stad\nJan;"{word} Bos";Ede\n'.encode(encoding))
    assert as_read(sample, encoding) == f"{word} Bos"


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("E-mailadres", "id:email"),
        ("Voornaam", "trait:first_name"),
        ("Nachname", "trait:last_name"),
        ("PLZ", "trait:postal_code"),
        ("Straße", "trait:street"),
        ("Kundennr.", "id:user_id"),
        ("Laatste bestelling (€)", "trait:laatste_bestelling"),
        ("_reason", ""),
        ("Mobile phone", "id:phone"),
    ],
)
def test_headers_in_three_languages(header: str, target: str) -> None:
    assert guess_target(header) == target


def test_columns_get_names_of_their_own() -> None:
    names, warnings = name_columns(["email", "", "Email", "email"])
    assert names == ["email", "Column 2", "Email (2)", "email (3)"]
    assert warnings == ["empty:Column 2", "duplicate:Email (2)", "duplicate:email (3)"]
    assert fingerprint(["E-mail", "Naam"]) == fingerprint(["e-mail ", "NAAM"])


@given(st.text(max_size=30))
def test_a_trait_name_made_of_a_header_is_a_name(header: str) -> None:
    key = trait_key(header)
    assert not key or key[0].isascii() and key[0].isalpha()
