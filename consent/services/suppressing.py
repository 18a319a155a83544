"""The list of addresses that may not be used, by keyed digest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.arrays import texts
from cdp.common.errors import CdpError
from consent.keys import fitting_ring, note_chains
from consent.models import Suppression, SuppressionReason
from consent.services.entries import actor_label
from consent.services.journaling import note_suppressions
from profiles.feed import note_changed
from profiles.identity.normalise import normalise
from profiles.resolution.rows import find_identifiers


def find_suppressions(*, kind: str, value: str) -> QuerySet[Suppression]:
    """Return the entries about an address, lifted ones too."""
    return Suppression.objects.filter(digest__in=fitting_ring().digests(kind, value)).order_by("-created_at")


@transaction.atomic
def suppress_address(*, kind: str, value: str, reason: str, actor: Any, note: str = "") -> Suppression:
    """Put an address on the list, or back on it; idempotent."""
    if reason not in SuppressionReason.values:
        raise CdpError("consent.unknown_reason", _("There is no such reason."), place="reason")
    if not value.strip():
        raise CdpError("consent.no_address", _("Give an address."), place="value")
    suppress_identifiers(identifiers=[(kind, value)], reason=reason, actor=actor, note=note)
    return find_suppressions(kind=kind, value=value).filter(reason=reason)[0]


@transaction.atomic
def suppress_identifiers(*, identifiers: Iterable[tuple[str, str]], reason: str, actor: Any, note: str = "") -> int:
    """Put many on the list at once, or back on it; return how many there are."""
    ring, now = fitting_ring(), timezone.now()
    wanted = {ring.digest(kind, value): (kind, value) for kind, value in identifiers}
    forms = {digest: key for key, pair in wanted.items() for digest in ring.digests(*pair)}
    listed = Suppression.objects.filter(digest__in=list(forms), reason=reason)
    there = {forms[digest] for digest in listed.values_list("digest", flat=True)}
    note_chains([ring.current.name])
    Suppression.objects.bulk_create(
        [
            Suppression(
                digest=digest,
                key_chain=ring.current.name,
                kind=wanted[digest][0],
                reason=reason,
                note=note[:200],
                created_by=actor_label(actor),
            )
            for digest in sorted(wanted.keys() - there)
        ],
        ignore_conflicts=True,
    )
    listed.filter(lifted_at__isnull=False).update(
        lifted_at=None, lifted_by="", lift_note="", created_at=now, created_by=actor_label(actor)
    )
    note_suppressions(
        {"digest": digest, "key_chain": ring.current.name, "kind": wanted[digest][0], "reason": str(reason)}
        for digest in sorted(wanted)
    )
    _tell_feed(wanted.values())
    return len(wanted)


def _tell_feed(identifiers: Iterable[tuple[str, str]]) -> None:
    """What may be sent to the people of these addresses has changed."""
    pairs = {(kind, normalise(kind, value)) for kind, value in identifiers}
    note_changed({row.profile_id for row in find_identifiers(pairs).values()})


@transaction.atomic
def lift_suppression(*, suppression_id: int, actor: Any, note: str) -> Suppression:
    """Allow an address again; the entry stays, with who lifted it and why."""
    row = Suppression.objects.select_for_update().filter(pk=suppression_id).first()
    if row is None:
        raise CdpError("consent.unknown_suppression", _("There is no such entry."), status=404)
    if not note.strip():
        raise CdpError("consent.no_note", _("Say why the address may be used again."), place="note")
    if row.lifted_at is None:
        row.lifted_at, row.lifted_by, row.lift_note = timezone.now(), actor_label(actor), note.strip()[:200]
        row.save(update_fields=["lifted_at", "lifted_by", "lift_note"])
        entry = {"digest": row.digest, "key_chain": row.key_chain, "kind": row.kind, "reason": row.reason}
        note_suppressions([entry], lifted=True)
    return row


@transaction.atomic
def lift_address(*, kind: str, value: str, reasons: Sequence[str], actor: Any, note: str) -> list[Suppression]:
    """Allow an address again as far as it is on the list for these reasons; return the entries that were lifted."""
    rows = find_suppressions(kind=kind, value=value).filter(reason__in=reasons, lifted_at=None).order_by("pk")
    lifted = [lift_suppression(suppression_id=row.pk, actor=actor, note=note) for row in rows]
    if lifted:
        _tell_feed([(kind, value)])
    return lifted


def erased_identifiers(identifiers: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the identifiers of erased people among those given."""
    ring = fitting_ring()
    pairs = {digest: pair for pair in identifiers for digest in ring.digests(*pair)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT digest FROM consent_suppression WHERE digest = ANY(%s::text[]) AND reason = %s"
            " AND lifted_at IS NULL",
            [texts(pairs), SuppressionReason.ERASURE],
        )
        return {pairs[digest] for (digest,) in cursor.fetchall()}
