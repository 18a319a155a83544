"""The pages of lists kept by hand: make one, put people in, take them out, see who did so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cdp.common.access import record_access
from cdp.common.counting import COUNT_CAP, capped_count
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from profiles.filters import ProfileFilters
from profiles.models import Import, Profile
from segments import services
from segments.list_jobs import found, imported
from segments.list_members import Told
from segments.models import Kind, ListJob, Segment, Status
from segments.pasting import pasted
from segments.reasons import JOB_REASONS
from segments.services.lists import MOST_PEOPLE, MOST_REPLACED

MOST_LISTS = 500
JOB_WORDS = {
    "found": gettext_lazy("Everybody found"),
    "import": gettext_lazy("The people of an import"),
    "copy": gettext_lazy("The members of a segment"),
}


def list_or_404(slug: str) -> Segment:
    """Return a list; 404 for a segment with a rule."""
    return get_object_or_404(Segment, slug=slug, kind=Kind.STATIC)


@needs("segments.add_segment")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Draw the form of a new list, or make one."""
    return _form(request, None)


@needs("segments.change_segment")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Draw the name and description of a list, or change them."""
    return _form(request, list_or_404(slug))


def _form(request: HttpRequest, segment: Segment | None) -> HttpResponse:
    name = request.POST.get("name", segment.name if segment else "")
    description = request.POST.get("description", segment.description if segment else "")
    error = ""
    if request.method == "POST":
        try:
            if segment is None:
                segment = services.create_list(name=name, description=description, user=request.user)
            else:
                segment = services.rename_segment(segment=segment, name=name, description=description)
            return redirect(segment)
        except CdpError as refused:
            error = refused.message
    context = {"segment": segment, "name": name, "description": description, "error": error}
    return render(request, "segments/list_form.html", context, status=422 if error else 200)


@needs("segments.change_segment", "profiles.view_profile", "profiles.view_pii")
@require_http_methods(["GET", "POST"])
def paste(request: HttpRequest, slug: str) -> HttpResponse:
    """Draw the box for addresses and ids, or put in whom they name and say what became of each line."""
    segment = list_or_404(slug)
    text = request.POST.get("people", "")
    context: dict[str, Any] = {"segment": segment, "most": MOST_REPLACED, "text": text}
    if request.method == "POST":
        lines = pasted(text)
        try:
            if len(lines.names) > MOST_REPLACED:
                message = _("Paste at most %(limit)s lines at once.") % {"limit": MOST_REPLACED}
                raise CdpError("segment.too_many", message)
            context |= lines.put_in(segment, request.user)
        except CdpError as refused:
            context["error"] = refused.message
        context["left"] = "\n".join(row["line"] for row in context.get("rows", ()) if row["outcome"] in lines.again)
    return render(request, "segments/list_paste.html", context, status=422 if context.get("error") else 200)


@needs("segments.change_segment")
@require_POST
def remove(request: HttpRequest, slug: str) -> HttpResponse:
    """Take the ticked people out."""
    segment = list_or_404(slug)
    uuids = [uuid for text in request.POST.getlist("person")[:MOST_PEOPLE] if (uuid := _uuid(text))]
    people = set(Profile.objects.filter(uuid__in=uuids).values_list("pk", flat=True))
    if not people:
        messages.warning(request, _("Nobody was ticked."))
        return redirect("segments:members", slug=slug)
    try:
        gone = services.remove_people(segment=segment, profile_ids=people, cause="hand", actor=request.user)
        text = ngettext("%(count)s person was taken out.", "%(count)s people were taken out.", len(gone))
        messages.success(request, text % {"count": len(gone)})
    except CdpError as refused:
        messages.error(request, refused.message)
    return redirect("segments:members", slug=slug)


@needs("segments.change_segment")
@require_POST
def clear(request: HttpRequest, slug: str) -> HttpResponse:
    """Take everybody out; the number of them was shown and agreed to."""
    segment = list_or_404(slug)
    try:
        count = services.clear_list(segment=segment, actor=request.user)
        text = ngettext("%(count)s person was taken out.", "%(count)s people were taken out.", count)
        messages.success(request, text % {"count": count})
    except CdpError as refused:
        messages.error(request, refused.message)
    return redirect(segment)


@needs("segments.view_segment")
@require_safe
def job(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show how far many people are on their way into a list."""
    row = get_object_or_404(ListJob.objects.select_related("segment"), uuid=uuid)
    context = {
        "job": row,
        "segment": row.segment,
        "what": JOB_WORDS.get(row.what, ""),
        "reason": JOB_REASONS.text(row.reason) if row.reason else "",
        "over": row.state in (ListJob.State.DONE, ListJob.State.STOPPED),
        "left_out": row.done - row.added - row.already,
    }
    template = "segments/list_job_part.html" if getattr(request, "htmx", False) else "segments/list_job.html"
    return render(request, template, context)


# Putting in whom another page shows --------------------------------------------------------------------------------
@dataclass
class Selection:
    """Whom another page chose: ticked people, all that a search finds, or the people of an import."""

    what: str  # ticked | found | import
    people: list[UUID] = field(default_factory=list)
    filters: dict[str, str] = field(default_factory=dict)
    source: Import | None = None
    count: int = 0

    def fields(self) -> list[tuple[str, str]]:
        """Return what the form has to carry along."""
        own = [("person", str(uuid)) for uuid in self.people]
        if self.source is not None:
            own.append(("import", str(self.source.pk)))
        return [("what", self.what), *own, *self.filters.items()]

    def address(self) -> str:
        """Return where the reader came from."""
        if self.source is not None:
            return reverse("profiles:import", args=[self.source.pk])
        return f"{reverse('profiles:people')}?{urlencode(self.filters)}" if self.filters else reverse("profiles:people")


def _selection(request: HttpRequest, given: Any) -> Selection:
    what = given.get("what", "ticked")
    if what == "found":
        names = {"q", *ProfileFilters.base_filters} - {"search"}
        filters = {name: given[name][:200].replace("\x00", "") for name in sorted(names) if given.get(name)}
        return Selection("found", filters=filters, count=capped_count(found(filters)))
    if what == "import":
        if not request.user.has_perm("profiles.view_import"):
            raise PermissionDenied
        number = given.get("import", "")
        row = Import.objects.filter(pk=int(number)).first() if number.isdecimal() and len(number) < 19 else None
        if row is None:
            raise Http404(_("There is no such import."))
        return Selection("import", source=row, count=capped_count(imported(row.pk)))
    uuids = [uuid for text in given.getlist("person")[:MOST_PEOPLE] if (uuid := _uuid(text))]
    known = list(Profile.objects.alive().filter(uuid__in=uuids).values_list("uuid", flat=True))
    return Selection("ticked", people=known, count=len(known))


@needs("segments.change_segment", "profiles.view_profile", "profiles.view_pii")
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Show how many people were chosen and ask for the list, or put them in: few at once, many by the queue."""
    selection = _selection(request, request.POST if request.method == "POST" else request.GET)
    error = ""
    if request.method == "POST":
        try:
            return _put_in(request, selection, _chosen_list(request))
        except CdpError as refused:
            error = refused.message
    context = {
        "selection": selection,
        "capped": selection.count > COUNT_CAP,
        "lists": Segment.objects.filter(kind=Kind.STATIC, status=Status.LIVE).order_by("name")[:MOST_LISTS],
        "chosen": request.POST.get("list", ""),
        "new_name": request.POST.get("new_name", ""),
        "error": error,
    }
    return render(request, "segments/list_add.html", context, status=422 if error else 200)


def _chosen_list(request: HttpRequest) -> Segment:
    name, slug = request.POST.get("new_name", "").strip(), request.POST.get("list", "")
    if name:
        if not request.user.has_perm("segments.add_segment"):
            raise PermissionDenied
        return services.create_list(name=name, user=request.user)
    segment = Segment.objects.filter(kind=Kind.STATIC, slug=slug).first()
    if segment is None:
        raise CdpError("segment.no_list", _("Choose a list, or give the name of a new one."), place="list")
    return segment


def _put_in(request: HttpRequest, selection: Selection, segment: Segment) -> HttpResponse:
    record_access(
        request=request,
        action="segment.people_added",
        object_kind="segment",
        object_id=segment.slug,
        detail={"what": selection.what, "people": selection.count},
    )
    if selection.what == "ticked":
        people = set(Profile.objects.filter(uuid__in=selection.people).values_list("pk", flat=True))
        told = services.add_people(segment=segment, profile_ids=people, cause="hand", actor=request.user)
        messages.success(request, words_of(told))
        return redirect(segment)
    if selection.source is not None:
        made = services.add_imported(segment=segment, import_id=selection.source.pk, user=request.user)
    else:
        made = services.add_found(segment=segment, filters=selection.filters, user=request.user)
    return redirect("segments:list_job", uuid=made.uuid)


def words_of(told: Told) -> str:
    """Return in words what became of people who were to be in a list."""
    text = ngettext("%(count)s person was put in.", "%(count)s people were put in.", len(told.added))
    texts = [text % {"count": len(told.added)}]
    if told.already:
        text = ngettext("%(count)s was in already.", "%(count)s were in already.", len(told.already))
        texts.append(text % {"count": len(told.already)})
    if left := len(told.unknown) + len(told.restricted):
        texts.append(_("Left out, being erased or restricted: %(count)s.") % {"count": left})
    return " ".join(texts)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
