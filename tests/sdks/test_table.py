"""The table in docs/sdks.md is about the packages that the tests run, in the versions that they run."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

from tests.live import REPOSITORY
from tests.sdks.calls import Sdk
from tests.sdks.table import COLUMNS

FAMILIES = ("test_browser", "test_go", "test_java", "test_node", "test_python")
DOCUMENT = (REPOSITORY / "docs" / "sdks.md").read_text(encoding="utf-8")


def _sdks() -> list[Sdk]:
    modules = [import_module(f"tests.sdks.{name}") for name in FAMILIES]
    return [value for module in modules for value in vars(module).values() if isinstance(value, Sdk)]


def test_the_document_has_a_row_for_every_sdk_and_a_column_for_every_call() -> None:
    assert "| SDK | " + " | ".join(COLUMNS) + " |" in DOCUMENT
    rows = re.findall(r"^\| (.+?) \| (?:ok|–)", DOCUMENT, re.MULTILINE)
    assert sorted(rows) == sorted(sdk.title for sdk in _sdks())


def test_the_versions_are_those_that_run() -> None:
    package = json.loads((REPOSITORY / "package.json").read_text(encoding="utf-8"))
    pinned = {**package["dependencies"], **package["devDependencies"]}
    locks = [*Path(__file__).parent.glob("*/*.txt"), *Path(__file__).parent.glob("*/pom.xml")]
    locks += [Path(__file__).parent / "go" / "go.mod", *(REPOSITORY / "requirements").glob("*.txt")]
    written = "\n".join([*(f"{name} {version}" for name, version in pinned.items()), *(f.read_text() for f in locks)])
    written += "\n".join(path.read_text() for path in Path(__file__).parent.glob("java/*/pom.xml"))
    for sdk in _sdks():
        if version := re.search(r"v?(\d+\.\d+[\w.]*)", sdk.title):
            assert version.group(1) in written, sdk.title
