"""Writes of lists: make one, put people in, take them out. Long work goes to a queue (`segments.list_jobs`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from cdp.common.queue_items import put
from cdp.common.wake import wake
from consent.services.entries import actor_label
from profiles.models import Profile
from segments.catalog_loader import known_catalog, moment_now, referencing
from segments.list_members import Deed, Told, empty, enter, follow, leave, lock_lists, stand
from segments.membership import REFRESH, note_sizes
from segments.models import Kind, ListEntry, ListJob, Membership, Segment, Status
from segments.services.naming import clean_name, free_slug, name_taken
from segments.touched import touch

JOBS = "segments_lists"
#: people in one call
MOST_PEOPLE = 1_000
MOST_REPLACED = 10_000


@transaction.atomic
def create_list(*, name: str, description: str = "", user: Any = None) -> Segment:
    """Create a list, with nobody in it."""
    name = clean_name(name)
    try:
        with transaction.atomic():
            return Segment.objects.create(
                name=name,
                slug=free_slug(name),
                description=description.strip()[:2000],
                kind=Kind.STATIC,
                refreshed_at=timezone.now(),
                created_by=user,
            )
    except IntegrityError:
        raise name_taken(name) from None


@transaction.atomic
def add_people(
    *, segment: Segment, profile_ids: Collection[int], cause: str, actor: Any = "", reference: str = ""
) -> Told:
    """Put people into a list; return who is new, who was in already, and who cannot be.

    Raises CdpError `segment.by_rule` or `segment.archived`.
    """
    people = stand(profile_ids)
    _hold(segment)
    told = enter(segment, people, _deed(cause, actor, reference), timezone.now())
    _tell(segment, told.added)
    return told


@transaction.atomic
def remove_people(*, segment: Segment, profile_ids: Collection[int], cause: str, actor: Any = "") -> set[int]:
    """Take people out of a list; return those who were in it."""
    _hold(segment)
    gone = leave(segment, profile_ids, _deed(cause, actor), timezone.now())
    _tell(segment, gone)
    return gone


@transaction.atomic
def replace_people(*, segment: Segment, profile_ids: Collection[int], cause: str, actor: Any = "") -> Told:
    """Make these people, and nobody else, a list's members; only the difference is written."""
    people = stand(profile_ids)
    _hold(segment)
    deed, now = _deed(cause, actor), timezone.now()
    kept = people.able | people.restricted
    there = Membership.objects.filter(segment_id=segment.pk).exclude(profile_id__in=kept)
    gone = leave(segment, list(there.values_list("profile_id", flat=True)), deed, now)
    told = enter(segment, people, deed, now)
    _tell(segment, told.added | gone)
    return Told(told.added, told.already, told.unknown, told.restricted, gone)


@transaction.atomic
def clear_list(*, segment: Segment, actor: Any = "") -> int:
    """Take everybody out of a list, with a row of history each; return how many."""
    _hold(segment)
    gone = empty(segment, _deed("cleared", actor), timezone.now())
    _tell(segment, gone)
    return len(gone)


@transaction.atomic
def undo_entries(*, reference: str, after: int, limit: int) -> tuple[set[int], int | None]:
    """Take out those whom an import put in; return them, and the person after whom the next step begins.

    Whoever was in already, or is in as somebody else too since a merge, stays.
    """
    rows = ListEntry.objects.filter(reference=reference, profile_id__gt=after).order_by("profile_id")
    people = sorted(set(rows.values_list("profile_id", flat=True)[:limit]))
    if not people:
        return set(), None
    stand(people)
    theirs = rows.filter(profile_id__lte=people[-1])
    segments = Segment.objects.filter(pk__in=set(theirs.values_list("segment_id", flat=True)))
    theirs.delete()
    follow(people, cause="import_undone", now=timezone.now())
    for segment in segments:
        _tell(segment, people)
    return set(people), people[-1]


# Long work ---------------------------------------------------------------------------------------------------------
@transaction.atomic
def add_found(*, segment: Segment, filters: Mapping[str, str], user: Any) -> ListJob:
    """Have everybody put in who is found by these filters of the list of people now."""
    upto = Profile.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return _job(segment, "found", dict(filters), user, upto=upto)


@transaction.atomic
def add_imported(*, segment: Segment, import_id: int, user: Any) -> ListJob:
    """Have the people of an import put in; it may still have to be committed."""
    return _job(segment, "import", {"import": import_id}, user)


@transaction.atomic
def copy_members(*, segment: Segment, origin: Segment, user: Any) -> ListJob:
    """Have the members of another segment put in, as they are now."""
    upto = Profile.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return _job(segment, "copy", {"segment": origin.pk}, user, upto=upto, total=origin.member_count)


def _job(segment: Segment, what: str, params: dict[str, Any], user: Any, **fields: Any) -> ListJob:
    _hold(segment)
    job = ListJob.objects.create(segment=segment, what=what, params=params, actor=actor_label(user), **fields)
    put(JOBS, [job.pk])
    wake("segments.work_lists")
    return job


# Shared ------------------------------------------------------------------------------------------------------------
def refuse_rule(segment: Segment) -> None:
    """Raise CdpError unless people may be put in and taken out of a segment by hand."""
    if not segment.is_list:
        raise CdpError("segment.by_rule", _("People come into this segment by its rule, not by hand."), status=409)


def _hold(segment: Segment) -> None:
    refuse_rule(segment)
    lock_lists([segment.pk])
    if Segment.objects.filter(pk=segment.pk, status=Status.ARCHIVED).exists():
        raise CdpError("segment.archived", _("This segment is archived."), status=409)


def _deed(cause: str, actor: Any, reference: str = "") -> Deed:
    return Deed(cause=cause, actor=actor_label(actor) if actor else "", reference=reference)


def _tell(segment: Segment, people: Collection[int]) -> None:
    """Have the rules asked anew that build on a list."""
    if not people:
        return
    note_sizes(moment_now(), segment_id=segment.pk)
    rules = {key: fact.rule for key, fact in known_catalog().segments.items()}
    above = sorted(referencing(segment.pk, rules))
    if not above:
        return
    if len(people) > MOST_REPLACED:
        put(REFRESH, above)
        wake("segments.refresh")
    else:
        touch(sorted(people))
