"""The hash chain of a subject, and the seal over all: how they are written down. Plain Python, no database.

hash = SHA-256 of the canonical JSON of
{"v": 1, "id", "subject", "position", "profile", "purpose", "version", "terms", "channel", "state", "proof", "method",
 "actor", "source", "text", "words", "because", "reference", "occurred_at", "recorded_at", "payload_digest",
 "prev_hash"}
where `words` is the digest of the text shown, `terms` that of the version of the purpose in force, and the first record
of a subject has 64 zeros as `prev_hash`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring as _text

from consent.policy.canonical import canonical, moment, sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """What the hash of a record covers."""

    id: int
    subject: int
    position: int
    profile: int
    purpose: int
    version: int
    terms: str
    channel: str
    state: str
    proof: str
    method: str
    actor: str
    source: int | None
    text: int | None
    words: str
    because: int | None
    reference: str
    occurred_at: datetime
    recorded_at: datetime
    payload_digest: str
    prev_hash: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A place where the ledger is not what it was."""

    code: str  # hash | chain | gap | head | words | terms | payload | missing | seal | state | unreadable
    place: str
    message: str


def link_hash(link: Link) -> str:
    """Return the hash of a record."""
    return sha256(link_text(link).encode())


def link_text(link: Link) -> str:
    """Return the canonical JSON of a record; the same as `canonical` gives (a test holds them together), but faster."""
    return (
        f'{{"actor":{_text(link.actor)},"because":{_number(link.because)},"channel":{_text(link.channel)},'
        f'"id":{link.id},"method":{_text(link.method)},"occurred_at":"{moment(link.occurred_at)}",'
        f'"payload_digest":{_text(link.payload_digest)},"position":{link.position},"prev_hash":{_text(link.prev_hash)},'
        f'"profile":{link.profile},"proof":{_text(link.proof)},"purpose":{link.purpose},'
        f'"recorded_at":"{moment(link.recorded_at)}","reference":{_text(link.reference)},'
        f'"source":{_number(link.source)},"state":{_text(link.state)},"subject":{link.subject},'
        f'"terms":{_text(link.terms)},"text":{_number(link.text)},"v":1,"version":{link.version},'
        f'"words":{_text(link.words)}}}'
    )


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def seal_hash(
    *,
    from_id: int,
    to_id: int,
    count: int,
    root: str,
    prev_hash: str,
    sealed_at: datetime,
) -> str:
    """Return the hash of a seal."""
    return sha256(
        canonical(
            {
                "v": 1,
                "from": from_id,
                "to": to_id,
                "count": count,
                "root": root,
                "prev_hash": prev_hash,
                "sealed_at": moment(sealed_at),
            }
        )
    )
