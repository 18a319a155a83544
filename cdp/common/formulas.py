"""Cells that a spreadsheet would run as a formula: made harmless on export, restored on import (ASVS 1.2.10).

A spreadsheet that is set to another separator than the file's cuts a cell in pieces, so a formula may also begin after
a separator inside a cell, with quotation marks before it. The file's own separator inside a cell does not cut: such a
cell stands in quotation marks. Full-width signs count as the narrow ones.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_AT_THE_START = rf"(?=['\"]*[{_SIGNS}\t\r\n\0])"
_SEPARATORS = ";,|\t"


@lru_cache(maxsize=8)
def _patterns(separator: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return where an apostrophe goes in, and where one that went in stands.

    Apostrophes before the sign are counted as well, so that restore(escape(text)) == text for every text, also for one
    that has an apostrophe there itself. A sign that ends its piece (`45,-`) is no formula.
    """
    cuts = re.escape(_SEPARATORS.replace(separator, "")) + "\\r\\n"
    inside = rf"(?=['\"]*[{_SIGNS}][^{cuts}'\"])"
    return (
        re.compile(rf"\A{_AT_THE_START}|(?<=[{cuts}]){inside}"),
        re.compile(rf"\A'{_AT_THE_START}|(?<=[{cuts}])'{inside}"),
    )


def escape_formula(text: str, separator: str = ",") -> str:
    """Return the text with an apostrophe before each place where a spreadsheet would see a formula begin.

    `separator` is that of the file.
    """
    return _patterns(separator)[0].sub("'", text)


def restore_formula(text: str, separator: str = ",") -> str:
    """Return the text without the apostrophes that escape_formula put in."""
    return _patterns(separator)[1].sub("", text) if "'" in text else text
