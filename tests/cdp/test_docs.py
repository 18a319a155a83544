"""The documents name files that exist: who follows them gets there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FOLDERS = ("cdp", "profiles", "consent", "segments", "campaigns", "templates", "tests", "bench", "demo", "docs")
_FILE = re.compile(r"`([\w/.-]+\.(?:py|md|html|yaml|toml))`")


@pytest.fixture(scope="module")
def files() -> set[str]:
    """The files of the project, each with a slash before it."""
    found = [*ROOT.glob("*.*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*"))]
    return {f"/{path.relative_to(ROOT)}" for path in found}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(document: Path, files: set[str]) -> None:
    """A bare name (`writer.py`) stands for one in a folder that was named before."""
    named = _FILE.findall(document.read_text(encoding="utf-8"))
    missing = [name for name in named if not any(path.endswith(f"/{name}") for path in files)]
    assert missing == []


def test_the_ways_through_the_code_are_told_on_two_pages() -> None:
    text = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    assert 60 < text.count("\n") < 140
