"""Names are the field's terms: no picture language, which every newcomer would have to learn first."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
#: picture -> the term
PICTURES = {
    r"weav(?:e|es|ing)|woven": "resolve (identity resolution)",
    r"sightings?": "observation",
    r"stirred": "affected",
    r"entomb\w*|\w*entombed\w*": "erased",
    r"founders?": "anchor",
    r"wax": "seal",
    r"nudg\w+": "wake",
    r"happenings?": "event",
    r"(?:the|a) lake": "raw archive",
    r"(?:the|at the) door": "endpoint, collector",
    r"overtaken": "ConcurrentUpdate",
    r"say_\w+|\w*(?:actors|value|place|link)_in_words": "format, text",
    r"(?:kind|cause|reason|detail|channel)_words": "label, text",
    r"whole_house|the house": "installation, dataset",
}
HERE = "tests/test_words.py"


def lines() -> list[tuple[str, str]]:
    """Return (place, line) of all code, templates and documents."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.html", "*.js", "*.md", "*.css"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listed.stdout.splitlines() if name != HERE and (ROOT / name).is_file()]
    return [
        (f"{name}:{number}", line)
        for name in names
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
    ]


@pytest.fixture(scope="module")
def text() -> list[tuple[str, str]]:
    """All lines, read once."""
    return lines()


@pytest.mark.parametrize("picture", PICTURES)
def test_no_picture_stands_for_a_term(picture: str, text: list[tuple[str, str]]) -> None:
    found = re.compile(rf"(?<![\w-])(?:{picture})(?![\w-])", re.IGNORECASE)
    places = [f"{place}: {line.strip()[:100]}" for place, line in text if found.search(line)]
    assert places == [], f"the field says: {PICTURES[picture]}"
