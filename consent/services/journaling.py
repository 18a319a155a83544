"""Refusals, suppressions and erasures go into the journal (cdp.common.journal), as keyed digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from cdp.common.journal import outbox
from consent.models import Purpose
from consent.models.ledger import Method
from consent.policy.states import OBJECTED, REFUSED, WITHDRAWN
from consent.services.entries import ConsentEntry
from profiles.keyring import key_ring
from profiles.models import Identifier, Profile

REFUSAL, SUPPRESSION, ERASURE = "refusal", "suppression", "erasure"
_REFUSALS = (REFUSED, WITHDRAWN, OBJECTED)


def note_refusals(entries: Iterable[tuple[ConsentEntry, datetime]]) -> None:
    """Journal what lowers a permission, with when it was said; what a merge copies was journaled at that time."""
    refusals = [(entry, at) for entry, at in entries if entry.state in _REFUSALS and entry.method != Method.MERGE]
    if not refusals:
        return
    said = [entry for entry, _at in refusals]
    profiles = dict(
        Profile.objects.filter(pk__in={entry.profile_id for entry in said}).order_by().values_list("pk", "uuid")
    )
    subjects = {
        pk: (kind, value)
        for pk, kind, value in Identifier.objects.filter(pk__in={entry.identifier_id for entry in said})
        .order_by()
        .values_list("pk", "kind", "value")
    }
    slugs = dict(Purpose.objects.filter(pk__in={entry.purpose_id for entry in said}).values_list("pk", "slug"))
    chain = key_ring().current
    bodies = []
    for entry, at in refusals:
        subject = subjects.get(entry.identifier_id or 0)
        bodies.append(
            {
                "profile": chain.digest("profile", str(profiles.get(entry.profile_id, ""))),
                "subject": chain.digest(*subject) if subject else "",
                "purpose": slugs.get(entry.purpose_id, ""),
                "channel": entry.channel,
                "state": entry.state,
                "said": at.isoformat(),
            }
        )
    outbox.note(REFUSAL, [{**body, "key": f"{body['profile']}:{body['purpose']}:{body['channel']}"} for body in bodies])


def note_suppressions(rows: Iterable[Mapping[str, str]], *, lifted: bool = False) -> None:
    """Journal entries of the list, given as digest, key_chain, kind and reason."""
    outbox.note(SUPPRESSION, [{**row, "lifted": lifted, "key": f"{row['digest']}:{row['reason']}"} for row in rows])


def note_erasure(profile: Profile, identifiers: Iterable[tuple[str, str]]) -> None:
    """Journal that a person was erased, with the identifiers that are known to be theirs."""
    chain = key_ring().current
    digest = chain.digest("profile", str(profile.uuid))
    kept = sorted(chain.digest(kind, value) for kind, value in identifiers)
    outbox.note(ERASURE, [{"profile": digest, "identifiers": kept, "key": digest}])
