"""Writes: make, change, archive segments."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from cdp.common.errors import CdpError
from cdp.common.queue_items import put
from cdp.common.wake import wake
from segments.catalog_loader import catalog_for, known_catalog, referencing
from segments.list_members import forget_entries
from segments.membership import REFRESH
from segments.membership_diff import clear_members
from segments.models import Segment, SegmentVersion, Status
from segments.rules.catalog import Catalog
from segments.rules.check import check
from segments.rules.describe import describe
from segments.rules.errors import RuleError
from segments.rules.nodes import Rule
from segments.rules.parse import parse
from segments.services.lists import copy_members, create_list
from segments.services.naming import MAX_NAME, clean_name, free_slug, name_taken
from segments.uses import segment_uses


def checked_rule(data: Any, *, segment_id: int | None = None) -> tuple[Rule, Catalog]:
    """Return the rule and what it was checked against; raise CdpError `segment.rule_invalid` with every fault."""
    try:
        rule = parse(data)
        catalog = catalog_for(rule)
        check(rule, catalog, segment_id=segment_id)
    except RuleError as error:
        raise refusal(error) from None
    return rule, catalog


def refusal(error: RuleError) -> CdpError:
    """Return the error that pages and the API answer with."""
    problems = [{"path": item.path, "code": item.code, "message": item.message(_)} for item in error.problems]
    return CdpError(
        "segment.rule_invalid",
        problems[0]["message"],
        place=problems[0]["path"],
        detail={"problems": problems[:50]},
    )


@transaction.atomic
def create_segment(*, name: str, rule: Any, description: str = "", user: Any = None) -> Segment:
    """Create a segment with its first version; its members follow in moments."""
    parsed, catalog = checked_rule(rule)
    name = clean_name(name)
    try:
        with transaction.atomic():
            segment = Segment.objects.create(
                name=name, slug=free_slug(name), description=description.strip()[:2000], created_by=user
            )
    except IntegrityError:
        raise name_taken(name) from None
    _add_version(segment, rule, parsed, catalog, user)
    return segment


@transaction.atomic
def update_rule(*, segment: Segment, rule: Any, user: Any = None) -> Segment:
    """Save a new version of the rule; an equal rule makes none. The members follow in moments."""
    segment = _locked(segment)
    if segment.is_list:
        raise CdpError(
            "segment.is_list", _("This is a list: people are put in by hand, so it has no rule."), status=409
        )
    parsed, catalog = checked_rule(rule, segment_id=segment.pk)
    if segment.current_version and segment.current_version.rule == rule and segment.status == Status.LIVE:
        return segment
    _add_version(segment, rule, parsed, catalog, user)
    # Whoever builds on this segment takes its rule in: they are asked anew as well.
    rules = {key: fact.rule for key, fact in known_catalog().segments.items()}
    above = sorted(referencing(segment.pk, rules))
    Segment.objects.filter(pk__in=above, status=Status.LIVE).update(refreshed_at=None)
    put(REFRESH, above)
    return segment


@transaction.atomic
def rename_segment(*, segment: Segment, name: str, description: str | None = None) -> Segment:
    """Change the name and, when given, the description. The address stays."""
    segment = _locked(segment)
    segment.name = clean_name(name)
    if description is not None:
        segment.description = description.strip()[:2000]
    try:
        with transaction.atomic():
            segment.save(update_fields=["name", "description"])
    except IntegrityError:
        raise name_taken(segment.name) from None
    return segment


@transaction.atomic
def duplicate_segment(*, segment: Segment, user: Any = None) -> Segment:
    """Create another segment with the same rule; of a list another list, which its members come into in moments."""
    if segment.current_version is None and not segment.is_list:
        raise CdpError("segment.no_rule", _("This segment has no rule to copy."))
    for number in range(1, 1000):
        suffix = _(" (copy)") if number == 1 else _(" (copy %(number)s)") % {"number": number}
        name = segment.name[: MAX_NAME - len(suffix)] + suffix
        if not Segment.objects.exclude(status=Status.ARCHIVED).filter(name__iexact=name).exists():
            break
    if segment.current_version is None:
        copy = create_list(name=name, description=segment.description, user=user)
        copy_members(segment=copy, origin=segment, user=user)
        return copy
    return create_segment(name=name, rule=segment.current_version.rule, description=segment.description, user=user)


@transaction.atomic
def archive_segment(*, segment: Segment) -> Segment:
    """Stop a segment: its members leave it, its history stays. Refused while it is in use."""
    segment = _locked(segment)
    if segment.status == Status.ARCHIVED:
        return segment
    users = used_by(segment)
    if users:
        names = ", ".join(item.name for item in users[:5])
        raise CdpError(
            "segment.in_use",
            _("Other segments build on this one: %(names)s. Change those first.") % {"names": names},
            status=409,
        )
    if uses := [name for find in segment_uses for name in find(segment.pk)]:
        raise CdpError(
            "segment.in_use",
            _("Campaigns under way use this segment: %(names)s. End or change those first.")
            % {"names": ", ".join(uses[:5])},
            status=409,
        )
    now = timezone.now()
    if segment.is_list:
        forget_entries(segment.pk)
    clear_members(segment, cause="archived", now=now)
    segment.status, segment.member_count, segment.refreshed_at = Status.ARCHIVED, 0, now
    segment.save(update_fields=["status", "member_count", "refreshed_at"])
    return segment


def used_by(segment: Segment) -> list[Segment]:
    """Return the segments, not archived, whose rule names this one."""
    rows = Segment.objects.exclude(status=Status.ARCHIVED).select_related("current_version").order_by("name")
    found = []
    for row in rows:
        if row.current_version is not None and _names(row.current_version.rule, segment.pk):
            found.append(row)
    return found


def _names(data: Any, segment_id: int) -> bool:
    """Tell whether stored rule JSON names a segment, without having to parse (it may be of a broken segment)."""
    if isinstance(data, dict):
        if data.get("type") == "member" and data.get("segment") == segment_id:
            return True
        return any(_names(item, segment_id) for item in data.values())
    return isinstance(data, list) and any(_names(item, segment_id) for item in data)


def _locked(segment: Segment) -> Segment:
    return Segment.objects.select_related("current_version").select_for_update(of=("self",)).get(pk=segment.pk)


def _add_version(segment: Segment, data: Any, rule: Rule, catalog: Catalog, user: Any) -> None:
    last = SegmentVersion.objects.filter(segment=segment).order_by("-number").first()
    with override("en"):
        sentence = describe(rule, catalog)
    segment.current_version = SegmentVersion.objects.create(
        segment=segment, number=last.number + 1 if last else 1, rule=data, sentence=sentence, created_by=user
    )
    # Not refreshed: the engine leaves it alone until the members were made with this version.
    segment.refreshed_at = None
    segment.status, segment.broken_code, segment.broken_params = Status.LIVE, "", {}
    segment.save(update_fields=["current_version", "refreshed_at", "status", "broken_code", "broken_params"])
    put(REFRESH, [segment.pk])
    wake("segments.refresh")
