"""Text as comparisons see it: letter case, accents and the width of letters make no difference.

Every comparison of texts folds both sides, in memory by `fold`, in the database by the function that `FUNCTION` makes:
NFKD (full-width letters become narrow, ligatures come apart), then without the marks of U+0300 to U+036F, then in
small letters, with letters that only look like a letter with a mark (`ø`, `ł`, `ı`) as that letter. Both use the one
table below, so they can never differ by a collation, a locale or a version of PostgreSQL.
"""

from __future__ import annotations

import re
import unicodedata

#: scripts that have capitals: Latin, Greek, Cyrillic, Armenian
_SCRIPTS = range(0x80, 0x590)
_LETTERS = {
    "ı": "i",
    "ø": "o",
    "đ": "d",
    "ð": "d",
    "ħ": "h",
    "ł": "l",
    "ŧ": "t",
    "ς": "σ",
    "‘": "'",
    "’": "'",
}
_PAIRS = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
_MARKS = re.compile("[\u0300-\u036f]+")


def _small_letters() -> dict[str, str]:
    """Return each capital (and look-alike) with its small letter, of those that NFKD leaves as they are."""
    found = dict(_LETTERS)
    for code in _SCRIPTS:
        letter = chr(code)
        small = letter.lower()
        if small != letter and len(small) == 1 and unicodedata.normalize("NFKD", letter) == letter:
            found[letter] = _LETTERS.get(small, small)
    found["ẞ"] = "ß"
    return found


_SMALL = _small_letters()
_ASCII = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_TABLE = str.maketrans(_SMALL) | _ASCII


def fold(text: str) -> str:
    """Return a text in the form in which texts are compared."""
    if text.isascii():
        return text.translate(_ASCII)
    text = _MARKS.sub("", unicodedata.normalize("NFKD", text)).translate(_TABLE)
    for letter, letters in _PAIRS.items():
        text = text.replace(letter, letters)
    return text


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _folded() -> str:
    folded = "regexp_replace(normalize($1, NFKD), '[\u0300-\u036f]+' COLLATE \"C\", '', 'g')"
    folded = f'lower({folded} COLLATE "C")'
    folded = f"translate({folded}, {_literal(''.join(_SMALL))}, {_literal(''.join(_SMALL.values()))})"
    for letter, letters in _PAIRS.items():
        folded = f"replace({folded}, {_literal(letter)}, {_literal(letters)})"
    return folded


NAME = "segments_fold"
#: the same in SQL; in PL/pgSQL, because a function in SQL would be parsed anew by every statement that names it
FUNCTION = (
    f"CREATE OR REPLACE FUNCTION {NAME}(text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 100 "
    f"AS $fold$ BEGIN RETURN {_folded()}; END $fold$"
)


def fold_sql(text: str) -> str:
    """Return the expression for a folded SQL text. Most texts are ASCII, which costs no call of a function."""
    return f'(CASE WHEN octet_length({text}) = length({text}) THEN lower({text} COLLATE "C") ELSE {NAME}({text}) END)'


def equals_folded_sql(text: str, wanted: str) -> str:
    """Return the condition that an SQL text is, folded, one of an array of folded texts.

    What equals one of them without its accents being looked at equals it with them too: folding twice is folding once.
    """
    return (
        f'(lower({text} COLLATE "C") = ANY ({wanted}::text[])'
        f" OR (octet_length({text}) <> length({text}) AND {NAME}({text}) = ANY ({wanted}::text[])))"
    )
