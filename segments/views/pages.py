"""The pages of segments: list, one segment, its members and history, why somebody is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from cdp.common.access import record_access, record_look
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from cdp.common.masking import Reader, can_see_pii, reader_of
from consent.actors import actor_names
from profiles.models import Profile
from segments import services
from segments.catalog_loader import event_names, known_catalog, load_person, moment_now
from segments.disclosure import shown_node, shown_rule
from segments.filters import ChangeFilters, MemberFilters, SegmentFilters
from segments.models import ListEntry, Membership, MembershipChange, Segment, SegmentVersion, Status
from segments.panels import movements
from segments.reasons import broken_text
from segments.rules.catalog import Catalog
from segments.rules.check import check
from segments.rules.describe import describe
from segments.rules.errors import RuleError
from segments.rules.evaluate import meets
from segments.rules.explain import explain
from segments.rules.parse import parse
from segments.views.builder import sizes

CAUSES = {
    "touched": gettext_lazy("something happened or changed"),
    "refresh": gettext_lazy("full refresh"),
    "time": gettext_lazy("time went by"),
    "rule": gettext_lazy("new rule"),
    "broken": gettext_lazy("the segment broke"),
    "archived": gettext_lazy("archived"),
    "hand": gettext_lazy("by hand"),
    "pasted": gettext_lazy("pasted"),
    "found": gettext_lazy("found by a search"),
    "import": gettext_lazy("import"),
    "import_undone": gettext_lazy("the import was undone"),
    "api": gettext_lazy("by the API"),
    "copy": gettext_lazy("copied from another segment"),
    "cleared": gettext_lazy("the list was emptied"),
    "merge": gettext_lazy("two people were merged"),
    "undo": gettext_lazy("a merge or an import was undone"),
}


def sentence_of(segment: Segment, reader: Reader, catalog: Catalog | None = None) -> str:
    """Return the rule as a sentence in the reader's language; as it was saved when it cannot be read any more."""
    return "" if segment.current_version is None else version_sentence(segment.current_version, reader, catalog)


def version_sentence(version: SegmentVersion, reader: Reader, catalog: Catalog | None = None) -> str:
    """Return the sentence of one version in the reader's language, as this reader may read it."""
    try:
        return describe(shown_rule(parse(version.rule), reader), catalog or known_catalog(), _)
    except RuleError:
        return reader.outside(version.sentence)


class SegmentList(ListPage):
    """All segments."""

    permission_required = "segments.view_segment"
    template_name = "segments/list.html"
    filters = SegmentFilters
    columns = (
        Column(name="name", label=gettext_lazy("Name"), sort="name"),
        Column(name="members", label=gettext_lazy("Members"), sort="member_count", numeric=True, descending_first=True),
        Column(name="moved", label=gettext_lazy("Moved in 24 h"), numeric=True),
        Column(name="fresh", label=gettext_lazy("Fresh")),
        Column(name="state", label=gettext_lazy("State"), sort="status"),
    )
    default_sort = "name"
    empty = (
        gettext_lazy("No segments yet"),
        gettext_lazy(
            "A segment is a group of people that keeps itself up to date by a rule, such as “ordered twice this year”."
        ),
        "segments:new",
        gettext_lazy("Build a segment"),
    )

    def get_queryset(self) -> QuerySet[Segment]:
        """Return all segments."""
        return Segment.objects.select_related("current_version")

    def empty_state(self) -> dict[str, Any]:
        """Offer the first step only to those who may take it."""
        state = super().empty_state()
        return state if self.request.user.has_perm("segments.add_segment") else {**state, "url": ""}

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Add sentence and movement."""
        moved = movements([row.pk for row in rows])
        catalog, reader = known_catalog(), reader_of(self.request)
        for row in rows:
            row.sentence = sentence_of(row, reader, catalog)
            row.broken_reason = broken_text(row, sees_people=reader.sees_people)
            row.entered, row.left = moved.get(row.pk, (0, 0))
        return rows


class _OfSegment(ListPage):
    """A list that belongs to one segment."""

    permission_required = "segments.view_segment"

    @cached_property
    def segment(self) -> Segment:
        """The segment in the address, its sentence in the reader's language."""
        segment = get_object_or_404(Segment.objects.select_related("current_version"), slug=self.kwargs["slug"])
        if segment.current_version is not None:
            segment.current_version.sentence = version_sentence(segment.current_version, reader_of(self.request))
        return segment

    def extra_context(self) -> dict[str, Any]:
        """Return the segment."""
        return {"segment": self.segment}

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Add the people."""
        people = Profile.objects.only("uuid", "display_name", "email").in_bulk([row.profile_id for row in rows])
        actors = actor_names({row.actor for row in rows if getattr(row, "actor", "")})
        for row in rows:
            row.person = people.get(row.profile_id)
            row.because = CAUSES.get(getattr(row, "cause", ""), "")
            row.by = actors.get(getattr(row, "actor", ""), "")
        return rows


class MemberList(_OfSegment):
    """The members of a segment."""

    template_name = "segments/members.html"
    filters = MemberFilters
    key = "profile_id"
    columns = (
        Column(name="name", label=gettext_lazy("Name"), export=lambda row: row.person.display_name),
        Column(name="email", label=gettext_lazy("E-mail"), export=lambda row: row.person.email),
        Column(name="id", label=gettext_lazy("ID"), export=lambda row: row.person.uuid),
        Column(name="since", label=gettext_lazy("Since"), export=lambda row: row.since),
    )
    search_label = gettext_lazy("Search names and addresses")
    masked_search_label = gettext_lazy("The whole id of a person")
    empty = (
        gettext_lazy("No members"),
        gettext_lazy("Nobody meets the rule now. People come in by themselves when they do."),
        "",
        "",
    )
    export_permission = "segments.export_segment"
    export_action = "segment.exported"
    look_action = "segment.members_listed"
    export_name = "members"
    export_person = "profile_id"

    def get_queryset(self) -> QuerySet[Membership]:
        """Return the members."""
        return Membership.objects.filter(segment_id=self.segment.pk)

    def headers(self) -> list[dict[str, Any]]:
        """Show fewer columns than the export has."""
        heads = super().headers()
        return [heads[0], heads[3], {"label": "", "numeric": False, "sort": "", "state": ""}]

    def export(self) -> HttpResponseBase:
        """Export; only somebody who may see names can."""
        if self.may_export() and not can_see_pii(self.request.user):
            raise CdpError("segment.export_refused", _("You may not see names, so you cannot export them."), status=403)
        return super().export()

    def csv_lines(self, rows: QuerySet[Any]) -> Any:
        """Yield the lines with their people read in blocks."""
        return super().csv_lines(_WithPeople(rows))  # type: ignore[arg-type]  # has what csv_lines asks for


class _WithPeople:
    """Members for the export: read in blocks, each with its person."""

    def __init__(self, rows: QuerySet[Membership]) -> None:
        self.rows = rows

    def order_by(self, *fields: str) -> _WithPeople:
        """Order the rows."""
        return _WithPeople(self.rows.order_by(*fields))

    def iterator(self, chunk_size: int = 2000) -> Any:
        """Yield members with `person`; those without one any more, or whose data is restricted, are left out."""
        last = 0
        while True:
            block = list(self.rows.filter(profile_id__gt=last)[:chunk_size])
            if not block:
                return
            usable = Profile.objects.usable().only("uuid", "display_name", "email")
            people = usable.in_bulk([row.profile_id for row in block])
            for row in block:
                row.person = people.get(row.profile_id)  # type: ignore[attr-defined]  # for the columns
                if row.person is not None:  # type: ignore[attr-defined]
                    yield row
            last = block[-1].profile_id


class HistoryList(_OfSegment):
    """Who came into a segment and who left it."""

    template_name = "segments/history.html"
    look_action = "segment.history_listed"
    filters = ChangeFilters
    columns = (
        Column(name="what", label=gettext_lazy("What")),
        Column(name="name", label=gettext_lazy("Name")),
        Column(name="when", label=gettext_lazy("When")),
        Column(name="why", label=gettext_lazy("Because")),
    )
    empty = (
        gettext_lazy("Nobody came or went"),
        gettext_lazy("Each time that somebody does, a row stands here."),
        "",
        "",
    )

    def get_queryset(self) -> QuerySet[MembershipChange]:
        """Return the changes."""
        return MembershipChange.objects.filter(segment_id=self.segment.pk)


@needs("segments.view_segment")
@require_safe
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one segment."""
    segment = get_object_or_404(Segment.objects.select_related("current_version__created_by"), slug=slug)
    changes = list(MembershipChange.objects.filter(segment_id=segment.pk).order_by("-id")[:8])
    people = Profile.objects.only("uuid", "display_name").in_bulk([row.profile_id for row in changes])
    entered, left = movements([segment.pk])[segment.pk]
    version = segment.current_version
    count = segment.member_count
    reader = reader_of(request)
    versions, catalog = list(segment.versions.select_related("created_by")[:10]), known_catalog()
    for row in versions:
        row.sentence = version_sentence(row, reader, catalog)
    record_look(request, "segment.viewed", people.values(), object_kind="segment", object_id=segment.slug)
    context = {
        "segment": segment,
        "broken_reason": broken_text(segment, sees_people=reader.sees_people),
        "sentence": sentence_of(segment, reader),
        "changes": [{"entered": row.entered, "at": row.at, "person": people.get(row.profile_id)} for row in changes],
        "entered": entered,
        "left": left,
        "sizes": sizes(segment),
        "versions": versions,
        "version_detail": str(version.created_by or "") if version else "",
        "used_by": services.used_by(segment),
        "jobs": segment.jobs.exclude(state__in=["done", "stopped"]).order_by("-pk")[:5],
        "clear_text": ngettext(
            "%(count)s person leaves the list. The history stays.",
            "%(count)s people leave the list. The history stays.",
            count,
        )
        % {"count": count},
        "members_url": reverse("segments:members", args=[slug]),
        "history_url": reverse("segments:history", args=[slug]),
        "archive_text": ngettext(
            "%(count)s person leaves it, and nothing can be sent to it any more. Its history stays.",
            "%(count)s people leave it, and nothing can be sent to it any more. Its history stays.",
            count,
        )
        % {"count": count},
    }
    return render(request, "segments/detail.html", context)


@needs("segments.view_segment", "profiles.view_profile")
@require_safe
def why(request: HttpRequest, slug: str, uuid: str) -> HttpResponse:
    """Say why a person is, or is not, in a segment."""
    segment = get_object_or_404(Segment.objects.select_related("current_version"), slug=slug)
    person = get_object_or_404(Profile, uuid=uuid)
    member = Membership.objects.filter(profile_id=person.pk, segment_id=segment.pk).first()
    reader = reader_of(request)
    words = {"name": reader.name(person.display_name) or _("this visitor"), "segment": segment.name}
    context: dict[str, Any] = {
        "segment": segment,
        "person": person,
        "inside": member is not None,
        "since": member.since if member else None,
        "sentence": sentence_of(segment, reader),
        "question": (_("Why %(name)s is in %(segment)s") if member else _("Why %(name)s is not in %(segment)s"))
        % words,
    }
    if segment.is_list:
        context["entries"] = _entries(segment, person)
        record_access(request=request, action="segment.explained", object_kind="profile", object_id=str(person.uuid))
        return render(request, "segments/why.html", context)
    try:
        catalog, moment = known_catalog(), moment_now()
        rule = parse(segment.current_version.rule if segment.current_version else None)
        check(rule, catalog)
        facts = load_person(person, catalog, event_names(rule, catalog))
        context["findings"] = explain(rule, facts, catalog, moment, _, lambda node: shown_node(node, reader))
        context["differs"] = segment.status == Status.LIVE and meets(rule, facts, catalog, moment) != context["inside"]
    except RuleError as error:
        problems = [problem.message(_) for problem in error.problems] if reader.sees_people else []
        context["error"] = " ".join(problems) or _("The rule cannot be used.")
    record_access(request=request, action="segment.explained", object_kind="profile", object_id=str(person.uuid))
    return render(request, "segments/why.html", context)


def _entries(segment: Segment, person: Profile) -> list[dict[str, Any]]:
    """Return when, how and by whom somebody (or whoever was merged into them) was put in a list."""
    merged = Profile.objects.filter(merged_into_id=person.pk).values_list("pk", flat=True)
    rows = ListEntry.objects.filter(segment=segment, profile_id__in=[person.pk, *merged]).order_by("at")[:20]
    names = actor_names({row.actor for row in rows if row.actor})
    return [{"at": row.at, "because": CAUSES.get(row.cause, ""), "by": names.get(row.actor, "")} for row in rows]


@needs("segments.change_segment")
@require_POST
def archive(request: HttpRequest, slug: str) -> HttpResponse:
    """Archive a segment."""
    segment = get_object_or_404(Segment, slug=slug)
    try:
        services.archive_segment(segment=segment)
        messages.success(request, _("Archived. Its members left it; its history stays."))
    except CdpError as error:
        messages.error(request, error.message)
    return redirect(segment)


@needs("segments.add_segment")
@require_POST
def duplicate(request: HttpRequest, slug: str) -> HttpResponse:
    """Duplicate a segment and open the copy."""
    segment = get_object_or_404(Segment.objects.select_related("current_version"), slug=slug)
    try:
        copy = services.duplicate_segment(segment=segment, user=request.user)
    except CdpError as error:
        messages.error(request, error.message)
        return redirect(segment)
    return redirect("segments:edit", slug=copy.slug)
