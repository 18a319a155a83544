"""The table of SDKs: what each call and each fault came to. `make sdks` prints it."""

from __future__ import annotations

import json
import shutil

from tests.sdks.calls import CALLS, Findings
from tests.sdks.line import FAULTS
from tests.sdks.packages import HOME

COLUMNS = (*CALLS, "ten more", "same id", "people", *FAULTS)


FOLDER = HOME / "results"


def forget() -> None:
    """Drop what an earlier run found."""
    shutil.rmtree(FOLDER, ignore_errors=True)


def note(findings: Findings) -> None:
    """Keep what was found of an SDK for the table."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    data = {"title": findings.sdk.title, "words": findings.words}
    (FOLDER / f"{findings.sdk.name}.json").write_text(json.dumps(data), encoding="utf-8")


def table() -> str:
    """Return the table as Markdown."""
    lines = ["| SDK | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for file in sorted(FOLDER.glob("*.json")):
        data = json.loads(file.read_text(encoding="utf-8"))
        words = [data["words"].get(column, "") for column in COLUMNS]
        lines.append("| " + " | ".join([data["title"], *("–" if word == "none" else word for word in words)]) + " |")
    return "\n".join(lines)
