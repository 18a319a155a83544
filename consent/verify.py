"""Verify an exported ledger with nothing but Python: `python -m consent.verify export.jsonl`.

Answers 0 when the file is whole; otherwise lists what was altered or is missing, and answers 1. The file is read once,
from its beginning to its end; of each chain only the end is remembered.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consent.policy.canonical import text_digest
from consent.policy.chain import Link, Problem
from consent.policy.terms import terms_digest
from consent.policy.verification import ERASED, KEPT, MISSING, NONE, Digests, Entry, Seal, check_range

_FIELDS = tuple(Link.__dataclass_fields__)
#: what a line may be, in the order of the file
_KINDS = ("text", "terms", "seal", "record", "unreadable", "head")


class _File:
    """The lines of an export, taken off from its beginning."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = enumerate(lines, start=1)
        self.problems: list[Problem] = []
        self.ends: dict[int, tuple[int, str]] = {}  # subject -> position and hash of its last record
        self.next: dict[str, Any] | None = None
        self.advance()

    def advance(self) -> None:
        """Take the next line that can be read."""
        self.next = None
        for number, line in self._lines:
            try:
                body = json.loads(line)
                if body["kind"] not in _KINDS:
                    raise ValueError(body["kind"])
            except (ValueError, KeyError, TypeError):
                self.problems.append(Problem("line", f"line {number}", "is not a line of an export"))
                continue
            self.next = body
            return

    def take(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """Yield the lines that come next, as long as they are of these kinds."""
        while self.next is not None and self.next["kind"] in kinds:
            yield self.next
            self.advance()

    def entries(self, upto: int | None) -> Iterator[Entry]:
        """Yield the records that come next, up to an id."""
        last = 0
        while self.next is not None and self.next["kind"] in ("record", "unreadable"):
            row = self.next
            if row["kind"] == "unreadable":
                self.problems.append(Problem("unreadable", str(row["place"]), str(row["message"])))
            elif upto is not None and row["id"] > upto:
                return
            else:
                if row["id"] <= last:
                    self.problems.append(Problem("line", f"record {row['id']}", "is out of order, or there twice"))
                last = row["id"]
                yield self._entry(row)
            self.advance()

    def _entry(self, row: dict[str, Any]) -> Entry:
        values = {name: row[name] for name in _FIELDS}
        for name in ("occurred_at", "recorded_at"):
            values[name] = _time(values[name])
        link, evidence = Link(**values), row["evidence"]
        position, digest = self.ends.get(link.subject, (0, ""))
        self.ends[link.subject] = (link.position, row["hash"])
        gone = ERASED if row["evidence_erased"] else MISSING if link.payload_digest else NONE
        return Entry(
            link=link,
            hash=row["hash"],
            before=digest if position and position == link.position - 1 else None,
            evidence=KEPT if evidence is not None else gone,
            salt=evidence["salt"] if evidence is not None else "",
            payload=evidence["payload"] if evidence is not None else None,
        )


def verify_lines(lines: Iterable[str]) -> Iterator[Problem]:
    """Yield what is wrong in an export."""
    file = _File(lines)
    texts, versions = list(file.take("text")), list(file.take("terms"))
    yield from _check_texts(texts)
    yield from _check_versions(versions)
    digests = Digests({row["id"]: row["digest"] for row in texts}, {row["id"]: row["digest"] for row in versions})
    before: Seal | None = None
    for seal in [_seal(row) for row in file.take("seal")]:
        yield from check_range(file.entries(seal.to_id), digests, seal=seal, before=before)
        before = seal
    yield from check_range(file.entries(None), digests, seal=None, before=None)
    heads = {row["subject"]: (row["position"], row["head"]) for row in file.take("head")}
    for subject in sorted(file.ends.keys() | heads.keys()):
        if file.ends.get(subject) != heads.get(subject):
            yield Problem("head", f"subject {subject}", "the chain does not end where it should")
    if file.next is not None:
        yield Problem("line", f"a {file.next['kind']} line", "stands where none should")
    yield from file.problems


def _seal(row: dict[str, Any]) -> Seal:
    values = {name: row[name] for name in Seal.__dataclass_fields__}
    return Seal(**(values | {"sealed_at": _time(row["sealed_at"])}))


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _check_texts(texts: list[dict[str, Any]]) -> Iterator[Problem]:
    for text in texts:
        if text_digest(text["text"]) != text["digest"]:
            yield Problem("words", f"text {text['id']}", "the words were altered")


def _check_versions(versions: list[dict[str, Any]]) -> Iterator[Problem]:
    for row in versions:
        digest = terms_digest(
            purpose=row["purpose"],
            version=row["version"],
            created_at=row["created_at"],
            created_by=row["created_by"],
            body=row,
        )
        if digest != row["digest"]:
            yield Problem("terms", f"version {row['id']}", "the terms of the purpose were altered")


def main(arguments: list[str]) -> int:
    """Verify the file that the command line names."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m consent.verify EXPORT.jsonl\n")
        return 2
    count = 0
    with Path(arguments[0]).open(encoding="utf-8") as lines:
        for problem in verify_lines(lines):
            count += 1
            sys.stdout.write(f"{problem.code}: {problem.place}: {problem.message}\n")
    sys.stdout.write("the ledger is whole\n" if not count else f"{count} problems\n")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
