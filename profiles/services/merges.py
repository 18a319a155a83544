"""Merge and unmerge people by hand."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from profiles.models import HeldLink, Identifier, IdentityLink, Merge, Profile
from profiles.models.identity import MergeState
from profiles.processing.sources import load_rules
from profiles.resolution import people
from profiles.resolution.resolve import Observation, resolve, resolve_again
from profiles.resolution.rows import lock_profiles
from profiles.services.traits import anchor_of, strongest


@transaction.atomic
def merge_profiles(*, winner_id: int, loser_id: int, actor: Any = None) -> int:
    """Merge two people by hand; return the id of the profile that both now are (the lower of the two).

    The merge is a link like any other, which no limit holds back; an earlier "these are two" is taken back.
    Raises CdpError `merge.same` or `person.not_found`.
    """
    if winner_id == loser_id:
        raise CdpError("merge.same", _("These are one person already."))
    _lock_alive(winner_id, loser_id)
    one, other = anchor_of(winner_id), anchor_of(loser_id)
    between = _between(_ids_of(winner_id), _ids_of(loser_id))
    # As if nobody had ever said anything of them by hand: a link that is known to be so would change nothing.
    IdentityLink.objects.filter(between).update(denied_at=None, denied_by=None, manual=False)
    HeldLink.objects.filter(between).delete()
    pairs = ((one.kind, one.value), (other.kind, other.value))
    now = timezone.now()
    resolved = resolve(
        [Observation(pairs, now, uuid4().hex, None, trusted=False, manual=True)],
        load_rules().kinds,
        cause="manual",
        by=getattr(actor, "pk", None),
    )
    target = resolved.profile_of(pairs[0])
    if target != resolved.profile_of(pairs[1]):
        raise CdpError("merge.refused", _("Somebody said of these people that they are two; undo that first."))
    Merge.objects.filter(
        state=MergeState.QUARANTINED, winner_id=min(winner_id, loser_id), loser_id=max(winner_id, loser_id)
    ).delete()
    people.write(resolved, {}, cause="merge", also=[winner_id, loser_id], at=now, news="merge")
    return target


@transaction.atomic
def undo_merge(*, merge_id: int, actor: Any = None) -> tuple[int, int]:
    """Undo a merge; return (winner, loser) profile ids.

    Every link between the two sides is denied, for good, and who is who is worked out anew: each gets back exactly the
    identifiers, interactions and traits that are its own. Raises CdpError `merge.not_found` or `merge.not_done`.
    """
    merge = Merge.objects.select_for_update().filter(pk=merge_id).first()
    if merge is None:
        raise CdpError("merge.not_found", _("There is no such merge."), status=404)
    if merge.state != MergeState.DONE:
        raise CdpError("merge.not_done", _("This merge is not in force, so it cannot be undone."), status=409)
    moved, kept = set(merge.moved.get("identifiers", [])), set(merge.moved.get("kept", []))
    lock_profiles([merge.winner_id, merge.loser_id])
    moved &= set(Identifier.objects.filter(pk__in=moved).values_list("pk", flat=True))
    kept &= set(Identifier.objects.filter(pk__in=kept).values_list("pk", flat=True))
    if not moved or not kept:
        raise CdpError("merge.nothing_to_undo", _("One of the two sides has no identifiers left."), status=409)
    _deny(moved, kept, getattr(actor, "pk", None))
    resolved = resolve_again([moved | kept], load_rules().kinds, cause="undo", by=getattr(actor, "pk", None))
    Merge.objects.filter(pk=merge_id, state=MergeState.DONE).update(state=MergeState.UNDONE, undone_at=timezone.now())
    sides = [merge.winner_id, merge.loser_id]
    people.write(resolved, {}, cause="undo", also=sides, at=timezone.now(), news="undo")
    return merge.winner_id, merge.loser_id


@transaction.atomic
def dismiss_merge(*, merge_id: int, actor: Any = None) -> None:
    """Settle a merge that waits for review: these are two people."""
    merge = Merge.objects.select_for_update().filter(pk=merge_id, state=MergeState.QUARANTINED).first()
    if merge is None:
        raise CdpError("merge.not_found", _("There is no such merge to review."), status=404)
    if merge.link_id:
        IdentityLink.objects.filter(pk=merge.link_id).update(denied_at=timezone.now(), denied_by=actor)
    else:
        held = HeldLink.objects.filter(_between(_ids_of(merge.winner_id), _ids_of(merge.loser_id)))
        for low, high in held.values_list("low_id", "high_id"):
            _deny_one(low, high, getattr(actor, "pk", None))
        held.delete()
    merge.state = MergeState.DISMISSED
    merge.by = actor
    merge.save(update_fields=["state", "by"])


def _lock_alive(*profile_ids: int) -> None:
    lock_profiles(profile_ids)
    alive = Profile.objects.alive().filter(pk__in=profile_ids).count()
    if alive != len(set(profile_ids)):
        raise CdpError("person.not_found", _("There is no such person, or not any more."), status=404)


def _ids_of(profile_id: int) -> list[int]:
    return list(Identifier.objects.filter(profile_id=profile_id).values_list("pk", flat=True))


def _between(one: Collection[int], other: Collection[int]) -> Q:
    return Q(low_id__in=one, high_id__in=other) | Q(low_id__in=other, high_id__in=one)


def _deny(moved: set[int], kept: set[int], by: int | None) -> None:
    """Deny every link between two sides, and one between what each is known by even when nobody made one."""
    IdentityLink.objects.filter(_between(moved, kept)).update(denied_at=timezone.now(), denied_by_id=by)
    one, other = (strongest(Identifier.objects.filter(pk__in=side)).pk for side in (moved, kept))
    _deny_one(min(one, other), max(one, other), by)


def _deny_one(low: int, high: int, by: int | None) -> None:
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_identitylink (low_id, high_id, first_at, tie, weak, manual, denied_at, denied_by_id)"
            " VALUES (%s, %s, %s, '', false, false, %s, %s)"
            " ON CONFLICT (low_id, high_id) DO UPDATE SET denied_at = excluded.denied_at,"
            " denied_by_id = excluded.denied_by_id",
            [low, high, now, now, by],
        )
