"""Cells that a spreadsheet would run as a formula: made harmless on export, restored on import (ASVS 1.2.10)."""

from __future__ import annotations

import re

#: zero or more apostrophes before a character that begins a formula; the apostrophes are counted so that
#: restore(escape(text)) == text for every text, also for one that begins with an apostrophe itself
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\0]")


def escape_formula(text: str) -> str:
    """Return the text with an apostrophe in front when a spreadsheet would take it for a formula."""
    return "'" + text if _FORMULA.match(text) else text


def restore_formula(text: str) -> str:
    """Return the text without the apostrophe that escape_formula put in front."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
