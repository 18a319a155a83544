"""Cells that a spreadsheet would run as a formula: made harmless on export, restored on import (ASVS 1.2.10).

A spreadsheet that is set to another separator cuts a cell in pieces, so a formula may also begin after a separator
inside a cell, with quotation marks before it. Full-width signs count as the narrow ones.
"""

from __future__ import annotations

import re

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_SEPARATORS = ";,|\\t\\r\\n"
#: Apostrophes before the sign are counted as well, so that restore(escape(text)) == text for every text, also for one
#: that has an apostrophe there itself. A sign that ends its piece (`45,-`) is no formula.
_AT_THE_START = rf"(?=['\"]*[{_SIGNS}\t\r\n\0])"
_INSIDE = rf"(?=['\"]*[{_SIGNS}][^{_SEPARATORS}'\"])"
_FORMULA = re.compile(rf"\A{_AT_THE_START}|(?<=[{_SEPARATORS}]){_INSIDE}")
_ESCAPED = re.compile(rf"\A'{_AT_THE_START}|(?<=[{_SEPARATORS}])'{_INSIDE}")


def escape_formula(text: str) -> str:
    """Return the text with an apostrophe before each place where a spreadsheet would see a formula begin."""
    return _FORMULA.sub("'", text)


def restore_formula(text: str) -> str:
    """Return the text without the apostrophes that escape_formula put in."""
    return _ESCAPED.sub("", text) if "'" in text else text
