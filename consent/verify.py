"""Verify an exported ledger with nothing but Python: `python -m consent.verify export.jsonl`.

Answers 0 when the file is whole; otherwise lists what was altered or is missing, and answers 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consent.policy.canonical import GENESIS, payload_digest, text_digest
from consent.policy.chain import Link, Problem, check_chain, seal_hash, seal_root
from consent.policy.terms import terms_digest

_FIELDS = tuple(Link.__dataclass_fields__)


def verify_lines(lines: Iterable[str]) -> Iterator[Problem]:
    """Yield what is wrong in an export."""
    rows: dict[str, list[dict[str, Any]]] = {"text": [], "terms": [], "record": [], "head": [], "seal": []}
    for number, line in enumerate(lines, start=1):
        try:
            body = json.loads(line)
            rows[body["kind"]].append(body)
        except (ValueError, KeyError, TypeError):
            yield Problem("line", f"line {number}", "is not a line of an export")
    words = {text["id"]: text for text in rows["text"]}
    versions = {version["id"]: version for version in rows["terms"]}
    yield from _check_texts(rows["text"])
    yield from _check_versions(rows["terms"])
    records = sorted(rows["record"], key=lambda row: (row["subject"], row["position"]))
    yield from check_chain((_link(row), row["hash"]) for row in records)
    for row in records:
        yield from _check_record(row, words, versions)
    yield from _check_heads(rows["head"], records)
    yield from _check_seals(rows["seal"], records)


def _link(row: dict[str, Any]) -> Link:
    values = {name: row[name] for name in _FIELDS}
    for name in ("occurred_at", "recorded_at"):
        values[name] = _time(values[name])
    return Link(**values)


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


def _check_record(
    row: dict[str, Any], words: dict[int, dict[str, Any]], versions: dict[int, dict[str, Any]]
) -> Iterator[Problem]:
    place = f"record {row['id']}"
    if versions.get(row["version"], {}).get("digest") != row["terms"]:
        yield Problem("terms", place, "the terms of the purpose are not those in force then")
    if row["text"] is not None and words.get(row["text"], {}).get("digest") != row["words"]:
        yield Problem("words", place, "the words are not those that were shown")
    evidence = row["evidence"]
    if evidence is not None and payload_digest(evidence["salt"], evidence["payload"]) != row["payload_digest"]:
        yield Problem("payload", place, "the evidence was altered")
    if evidence is None and row["payload_digest"] and not row["evidence_erased"]:
        yield Problem("missing", place, "the evidence is gone, and no erasure says why")


def _check_heads(heads: list[dict[str, Any]], records: list[dict[str, Any]]) -> Iterator[Problem]:
    ends = {row["subject"]: (row["position"], row["hash"]) for row in records}
    expected = {head["subject"]: (head["position"], head["head"]) for head in heads}
    for subject in sorted(ends.keys() | expected.keys()):
        if ends.get(subject) != expected.get(subject):
            yield Problem("head", f"subject {subject}", "the chain does not end where it should")


def _check_seals(seals: list[dict[str, Any]], records: list[dict[str, Any]]) -> Iterator[Problem]:
    prev_hash = GENESIS
    entries = sorted((row["id"], row["hash"]) for row in records)
    for seal in sorted(seals, key=lambda row: row["id"]):
        place = f"seal {seal['id']}"
        root, count = seal_root(entry for entry in entries if seal["from_id"] <= entry[0] <= seal["to_id"])
        if (root, count) != (seal["root"], seal["count"]):
            yield Problem("seal", place, f"{seal['count']} records were sealed; those found differ ({count})")
        digest = seal_hash(
            from_id=seal["from_id"],
            to_id=seal["to_id"],
            count=seal["count"],
            root=seal["root"],
            prev_hash=seal["prev_hash"],
            sealed_at=_time(seal["sealed_at"]),
        )
        if digest != seal["hash"] or seal["prev_hash"] != prev_hash:
            yield Problem("seal", place, "the seal was altered, or does not follow the one before")
        prev_hash = seal["hash"]


def main(arguments: list[str]) -> int:
    """Verify the file that the command line names."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m consent.verify EXPORT.jsonl\n")
        return 2
    with Path(arguments[0]).open(encoding="utf-8") as lines:
        problems = list(verify_lines(lines))
    for problem in problems:
        sys.stdout.write(f"{problem.code}: {problem.place}: {problem.message}\n")
    sys.stdout.write("the ledger is whole\n" if not problems else f"{len(problems)} problems\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
