"""Erase a person (GDPR art. 17): put up tombstones and walk every registered holder of personal data.

In steps, each a transaction, so that a killed process leaves nothing half done that nobody finishes: the receipt is
written first, and `finish_erasures` goes on with whatever has no end yet. Between the steps nobody comes back: while
tombstones go up and the person goes, all who write people are shut out (profiles.tombstones).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from cdp.common.faults import persist
from cdp.common.registry import personal_data
from consent.models import Erasure, SuppressionReason
from consent.policy.erasure import Held, kept_out, own
from consent.services.entries import actor_label
from consent.services.journaling import note_erasure
from consent.services.leftovers import find_leftovers
from consent.services.suppressing import suppress_identifiers
from profiles.changes import Change, announce
from profiles.identity.whole_words import redacted, telling
from profiles.models import Identifier, Profile
from profiles.resolution.rows import lock_profiles
from profiles.services.stored_bodies import cut_stored, cut_unreadable, digests_of
from profiles.tombstones import busy, shut_out_writers

logger = logging.getLogger(__name__)


def erase_person(*, profile_id: int, actor: Any, reason: str) -> Erasure:
    """Erase a person everywhere and keep them out of later imports; return the receipt.

    Idempotent: a second call erases what came in meanwhile and adds to the same receipt.
    """
    receipt = _begin(profile_id, actor, reason)
    for holder in reversed(list(personal_data)):
        if holder.prepare is not None:
            _add(receipt, holder.prepare(profile_id))
    receipt.save(update_fields=["counts"])
    try:
        held = persist(lambda: _take_out(receipt, actor))
    except OperationalError as error:
        raise busy() from error
    _add(receipt, cut_unreadable([item.value for item in held]))
    for counts in cut_stored(receipt.digests):
        _add(receipt, counts)
        receipt.save(update_fields=["counts"])
    if held or not receipt.left:  # gone on with after a kill, nothing names the person any more: not searched
        receipt.left = find_leftovers([item.value for item in held]) if held else {"not_searched": True}
    receipt.digests, receipt.finished_at = [], timezone.now()
    receipt.save(update_fields=["counts", "digests", "finished_at", "left"])
    return receipt


def request_erasure(*, profile_id: int, actor: Any, reason: str) -> Erasure:
    """Note that a person is to be erased, and return the receipt; the work is done by beat, within two minutes.

    Idempotent: of who was erased already the receipt is returned as it is.
    """
    return _begin(profile_id, actor, reason)


def _add(receipt: Erasure, counts: Mapping[str, int]) -> None:
    receipt.counts = dict(Counter(receipt.counts) + Counter(counts))


def go_on_with_erasures(*, older_than: timedelta = timedelta(minutes=1)) -> int:
    """Finish what was begun and has no end; return how many were finished. One that fails is tried again later."""
    done = 0
    for receipt in Erasure.objects.filter(finished_at=None, at__lt=timezone.now() - older_than).order_by("pk"):
        try:
            erase_person(profile_id=receipt.profile_id, actor=receipt.actor, reason=receipt.reason)
            done += 1
        except CdpError as error:
            logger.warning("erasure %s cannot be finished yet: %s", receipt.pk, error.code)
    return done


@transaction.atomic
def _begin(profile_id: int, actor: Any, reason: str) -> Erasure:
    """Write the receipt down, so that the erasure is finished whatever becomes of this process."""
    profile = Profile.objects.select_for_update(no_key=True).filter(pk=profile_id).first()
    if profile is None:
        raise CdpError("consent.unknown_person", _("This person does not exist."), status=404)
    if profile.merged_into_id is not None:
        raise CdpError("consent.joined_person", _("This person was joined into another: erase that one."), status=409)
    return Erasure.objects.get_or_create(
        profile_id=profile_id, defaults={"actor": actor_label(actor), "reason": reason[:200]}
    )[0]


@transaction.atomic
def _take_out(receipt: Erasure, actor: Any) -> list[Held]:
    """Put up tombstones and remove the person, while nobody else writes people; return what identified them.

    Holders are walked from the highest app down, so that each still finds the identifiers that a lower one removes.
    """
    shut_out_writers()
    receipt.refresh_from_db()  # nothing of an attempt that lost a race
    profile_id = receipt.profile_id
    lock_profiles([profile_id])
    if Profile.objects.filter(pk=profile_id).exclude(merged_into=None).exists():
        raise CdpError("consent.joined_person", _("This person was joined into another: erase that one."), status=409)
    held = [Held(row.kind, row.value, row.trusted) for row in Identifier.objects.filter(profile_id=profile_id)]
    theirs = kept_out(held)
    stones = suppress_identifiers(identifiers=theirs, reason=SuppressionReason.ERASURE, actor=actor)
    note_erasure(Profile.objects.get(pk=profile_id), theirs)
    counts: Counter[str] = Counter({"consent_suppression": stones})
    for holder in reversed(list(personal_data)):
        if holder.notes is not None:
            receipt.notes += [{"code": code, "params": params} for code, params in holder.notes(profile_id)]
        counts.update(holder.erase(profile_id))
    now = timezone.now()
    Profile.objects.filter(pk=profile_id, erased_at=None).update(erased_at=now)
    _add(receipt, counts)
    receipt.taken_out_at = now
    # What still has to be found is known by digests from here on: by then nothing else names the person.
    receipt.digests = sorted(digests_of(own(held)) | set(receipt.digests))
    receipt.reason = redacted(receipt.reason, telling(item.value for item in held), "…")
    receipt.save(update_fields=["counts", "digests", "notes", "reason", "taken_out_at"])
    announce(Change(profile_ids={profile_id}, cause="erase"))
    return held


def erasures_done() -> int:
    """Return how many people were taken out so far."""
    return Erasure.objects.filter(taken_out_at__isnull=False).count()
