"""Is the ledger what it was? One way of looking, whether the rows come from the database or from an exported file.

Records are looked at in the order of their ids, each with the hash of the one before it in its chain, so that nothing
needs to be remembered but the state of a hash; seals are looked at with the records they cover.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from consent.policy.canonical import GENESIS, payload_digest
from consent.policy.chain import Link, Problem, link_hash, seal_hash

#: what stands where a piece of evidence should be
NONE, KEPT, ERASED, MISSING = "none", "kept", "erased", "missing"


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests of texts and of versions of purposes, by id: a record's hash covers those that it names."""

    of_texts: Mapping[int, str]
    of_versions: Mapping[int, str]

    def words(self, text_id: int | None) -> str:
        """Return the digest of a text, "" for none and for one that is gone."""
        return self.of_texts.get(text_id, "") if text_id is not None else ""

    def terms(self, version_id: int) -> str:
        """Return the digest of a version of a purpose, "" for one that is gone."""
        return self.of_versions.get(version_id, "")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it is stored, and what stands beside it."""

    link: Link
    hash: str
    before: str | None  # the hash of the record one position before; None when there is none
    evidence: str  # NONE | KEPT | ERASED | MISSING
    salt: str = ""
    payload: Any = None
    beyond_head: bool = False  # the head of its chain knows nothing of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Seal:
    """A seal as it is stored."""

    id: int
    from_id: int
    to_id: int
    count: int
    root: str
    prev_hash: str
    hash: str
    sealed_at: datetime


@dataclass(slots=True)
class Root:
    """The root over (record id, hash) pairs in the order of ids, taken in one by one."""

    count: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def add(self, record_id: int, digest: str) -> None:
        """Take a record in."""
        self._hash.update(f"{record_id}:{digest}\n".encode())
        self.count += 1

    def value(self) -> str:
        """Return the root so far."""
        return str(self._hash.hexdigest())


def check_entry(entry: Entry, digests: Digests) -> Iterator[Problem]:
    """Yield what is wrong with a record: its content, its place in the chain, its words and terms, its evidence."""
    link, place = entry.link, f"record {entry.link.id}"
    if link_hash(link) != entry.hash:
        yield Problem("hash", place, f"subject {link.subject}: the record was altered")
    if link.position > 1 and entry.before is None:
        yield Problem("gap", place, f"subject {link.subject}: position {link.position - 1} is missing")
    elif link.prev_hash != (entry.before if link.position > 1 else GENESIS):
        yield Problem("chain", place, f"subject {link.subject}: does not follow the record before it")
    if entry.beyond_head:
        yield Problem("head", place, f"subject {link.subject}: the head of the chain knows nothing of it")
    if link.words != digests.words(link.text) or (link.text is not None and not link.words):
        yield Problem("words", place, "the words are not those that were shown")
    if link.terms != digests.terms(link.version) or not link.terms:
        yield Problem("terms", place, "the terms of the purpose are not those in force then")
    if entry.evidence == KEPT and payload_digest(entry.salt, entry.payload) != link.payload_digest:
        yield Problem("payload", place, "the evidence was altered")
    elif link.payload_digest and entry.evidence not in (KEPT, ERASED):
        yield Problem("missing", place, "the evidence is gone, and no erasure says why")


def check_range(
    entries: Iterable[Entry], digests: Digests, *, seal: Seal | None, before: Seal | None
) -> Iterator[Problem]:
    """Yield what is wrong with the records of a seal, and with the seal itself; without a seal, of those not sealed.

    `before` is the seal before it. Entries come in the order of ids.
    """
    root = Root()
    for entry in entries:
        root.add(entry.link.id, entry.hash)
        yield from check_entry(entry, digests)
    if seal is not None:
        yield from check_seal(seal, before, root)


def check_seal(seal: Seal, before: Seal | None, root: Root) -> Iterator[Problem]:
    """Yield what is wrong with a seal, given the root over the records that were found."""
    place = f"seal {seal.id}"
    prev_hash, start = (before.hash, before.to_id + 1) if before is not None else (GENESIS, 1)
    if (seal.prev_hash, seal.from_id) != (prev_hash, start):
        yield Problem("seal", place, "does not follow the seal before it")
    if root.count != seal.count:
        yield Problem("seal", place, f"{seal.count} records were sealed, {root.count} are there")
    elif root.value() != seal.root:
        yield Problem("seal", place, "a sealed record was altered")
    digest = seal_hash(
        from_id=seal.from_id,
        to_id=seal.to_id,
        count=seal.count,
        root=seal.root,
        prev_hash=seal.prev_hash,
        sealed_at=seal.sealed_at,
    )
    if digest != seal.hash:
        yield Problem("seal", place, "the seal was altered")
