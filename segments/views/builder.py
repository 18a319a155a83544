"""The builder: a form that travels whole, redrawn by the server.

It is for readers who may see people: its counts tell who has a value, whatever value is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from cdp.common.access import record_access, record_look
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.turns import taking_turn
from consent.models import Purpose
from consent.reasons import GATE_REASONS
from profiles.models import Profile
from segments import services, suggestions
from segments.catalog_loader import catalog_for, event_names, load_person, moment_now
from segments.forms import draft
from segments.forms.tree import Tree
from segments.models import Segment, Status
from segments.reasons import broken_text
from segments.rules.catalog import Catalog
from segments.rules.check import check
from segments.rules.describe import describe
from segments.rules.errors import Problem, RuleError
from segments.rules.explain import explain
from segments.rules.nodes import Rule
from segments.rules.parse import parse
from segments.services.previews import SAMPLE, Counts


@dataclass
class Draft:
    """The form as read, with its rule when that has no faults."""

    data: draft.Json
    segment: Segment | None
    rule: Rule | None = None
    catalog: Catalog | None = None
    problems: tuple[Problem, ...] = ()


def read_draft(request: HttpRequest) -> Draft:
    """Read the posted form and check it."""
    segment_id = request.POST.get("segment", "")
    segment = (
        Segment.objects.filter(pk=int(segment_id)).first() if segment_id.isdecimal() and len(segment_id) < 19 else None
    )
    data = draft.read(request.POST, suggestions.type_of)
    return checked(Draft(data, segment))


def checked(item: Draft) -> Draft:
    """Add the rule, or what is wrong with it."""
    try:
        rule = parse(item.data)
        catalog = catalog_for(rule)
        check(rule, catalog, segment_id=item.segment.pk if item.segment else None)
    except RuleError as error:
        item.problems = error.problems
    else:
        item.rule, item.catalog = rule, catalog
    return item


@needs("segments.add_segment", "profiles.view_pii")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Draw an empty builder, or save a new segment."""
    if request.method == "POST":
        return save(request, None)
    return page(request, Draft(draft.new_rule(), None), name="")


@needs("segments.change_segment", "profiles.view_pii")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Draw the builder with a segment's rule, or save a new version."""
    segment = get_object_or_404(Segment.objects.select_related("current_version"), slug=slug)
    if segment.is_list:
        return redirect("segments:list_edit", slug=slug)
    if segment.status == Status.ARCHIVED:
        messages.warning(request, _("This segment is archived; duplicate it to go on."))
        return redirect(segment)
    if request.method == "POST":
        return save(request, segment)
    rule = draft.for_form(segment.current_version.rule if segment.current_version else None)
    return page(request, checked(Draft(rule, segment)), name=segment.name)


def save(request: HttpRequest, segment: Segment | None) -> HttpResponse:
    """Save the posted form, or draw it again with what is wrong."""
    item = read_draft(request)
    item.segment = segment
    name = request.POST.get("name", "")
    action = request.POST.get("action", "save")
    if action != "save":  # a button of the tree, in a browser without scripts
        item.data = draft.act(item.data, action)
        return page(request, checked(Draft(item.data, segment)), name=name)
    try:
        if segment is None:
            segment = services.create_segment(name=name, rule=item.data, user=request.user)
        else:
            if name.strip() != segment.name:
                services.rename_segment(segment=segment, name=name)
            services.update_rule(segment=segment, rule=item.data, user=request.user)
    except CdpError as error:
        problem = "" if error.code == "segment.rule_invalid" else error.message
        return page(request, item, name=name, error=problem, show=True, status=422)
    messages.success(request, _("Saved. The members are being worked out and follow in moments."))
    return redirect(segment)


def page(
    request: HttpRequest, item: Draft, *, name: str, error: str = "", show: bool = False, status: int = 200
) -> HttpResponse:
    """Draw the whole builder page. Faults of a new form are not shown before something was tried."""
    context = {
        "business_zone": settings.BUSINESS_TIME_ZONE,
        "tree": Tree(item.data, item.problems if show or item.segment else (), item.segment),
        "segment": item.segment,
        "broken_reason": broken_text(item.segment, sees_people=True) if item.segment else "",
        "name": name,
        "error": error,
        "faulty": bool(show and item.problems),
        "sentence": describe(item.rule, item.catalog, _) if item.rule and item.catalog else "",
        "purposes": Purpose.objects.filter(active=True),
        "sizes": sizes(item.segment),
    }
    return render(request, "segments/builder.html", context, status=status)


def sizes(segment: Segment | None) -> list[int]:
    """Return the size of a segment on each of the last 30 days that it was looked at."""
    if segment is None:
        return []
    return list(reversed(segment.sizes.order_by("-day").values_list("members", flat=True)[:30]))


@needs("segments.add_segment", "profiles.view_pii")
@require_POST
def tree(request: HttpRequest) -> HttpResponse:
    """Draw the tree again after a button or a choice that changes its shape."""
    item = read_draft(request)
    action = request.POST.get("action", "")
    if action:
        item.data = draft.act(item.data, action)
    response = render(
        request, "segments/builder_tree.html", {"tree": Tree(item.data, (), item.segment), "segment": item.segment}
    )
    response["HX-Trigger-After-Settle"] = "tree-changed"
    return response


@needs("segments.add_segment", "profiles.view_pii")
@require_POST
def look(request: HttpRequest) -> HttpResponse:
    """Count the nodes, say the sentence, show a few people; faults stand at their nodes."""
    item = read_draft(request)
    if item.rule is None or item.catalog is None:
        faults = Tree(item.data, draft.spoken(item.data, item.problems), item.segment)
        context: dict[str, Any] = {"tree": faults, "faulty": True}
        return render(request, "segments/builder_look.html", context)
    try:
        with taking_turn(services.TURN, request.user):
            context = counted(request, item, item.rule, item.catalog)
    except CdpError as error:
        context = {"error": error.message}
    return render(request, "segments/builder_look.html", context)


def counted(request: HttpRequest, item: Draft, rule: Rule, catalog: Catalog) -> dict[str, Any]:
    """Return what the panel shows of a rule that can be used; who it is and whom one could mail, when that is known."""
    exact = request.POST.get("exact") == "1"
    moment = moment_now()
    counts = (services.count_nodes if exact else services.estimate_nodes)(rule, catalog, moment)
    people = services.sample_people(rule, catalog, moment) if counts.exact else []
    record_look(request, "segment.previewed", people)
    return {
        "tree": Tree(item.data, (), item.segment),
        "total": counts,
        "pending": not exact and not counts.exact,
        "sentence": describe(rule, catalog, _),
        "people": people,
        "nodes": flat_counts(counts),
        "warning": warning(counts),
        **(mailing(request, item, moment) if counts.exact else {}),
    }


def flat_counts(counts: Counts) -> list[dict[str, Any]]:
    """Return (id, count) of every node for the swap out of band."""
    return [{"id": "node-" + path.replace(".", "-"), "count": value} for path, value in counts.nodes.items()]


def warning(counts: Counts) -> str:
    """Return a warning when a rule takes in (nearly) everybody."""
    if counts.base > SAMPLE // 100 and counts.total >= counts.base * 0.9:
        return _("This rule takes in nearly everybody. Is that meant?")
    return ""


def mailing(request: HttpRequest, item: Draft, moment: Any) -> dict[str, Any]:
    """Return whom a mail could reach for the chosen purpose, and why not the others."""
    purposes = list(Purpose.objects.filter(active=True, channels__contains=["email"]))
    chosen = next(
        (row for row in purposes if row.slug == request.POST.get("purpose")), purposes[0] if purposes else None
    )
    if chosen is None or item.rule is None or item.catalog is None:
        return {"purposes": purposes}
    found = services.mailable(item.rule, item.catalog, chosen, moment)
    if found is None:
        return {"purposes": purposes, "purpose": chosen}
    why_not = sorted(((GATE_REASONS.label(key), value) for key, value in found.items() if key), key=lambda row: -row[1])
    return {"purposes": purposes, "purpose": chosen, "mailable": found.get("", 0), "why_not": why_not}


@needs("segments.add_segment", "profiles.view_profile", "profiles.view_pii")
@require_POST
def why_draft(request: HttpRequest, uuid: str) -> HttpResponse:
    """Say why a person would, or would not, be in if the form were saved."""
    item = read_draft(request)
    person = get_object_or_404(Profile, uuid=uuid)
    context: dict[str, Any] = {"question": _("Why %(name)s") % {"name": person.display_name or _("this visitor")}}
    if item.rule is None or item.catalog is None:
        context["error"] = _("Correct the rule first.")
    else:
        facts = load_person(person, item.catalog, event_names(item.rule, item.catalog))
        context["findings"] = explain(item.rule, facts, item.catalog, moment_now(), _)
        context["sentence"] = describe(item.rule, item.catalog, _)
        record_access(request=request, action="segment.explained", object_kind="profile", object_id=str(person.uuid))
    return render(request, "segments/builder_why.html", context)


@needs("segments.change_segment", "profiles.view_pii")
@require_POST
def compare(request: HttpRequest) -> HttpResponse:
    """Tell who would come and go if the form were saved."""
    item = read_draft(request)
    context: dict[str, Any] = {"segment": item.segment}
    if item.segment is None or item.rule is None or item.catalog is None:
        context["error"] = _("Correct the rule first.") if item.problems else _("Nothing is saved yet.")
    else:
        try:
            with taking_turn(services.TURN, request.user):
                context["difference"] = services.compare_with_saved(item.segment, item.rule, item.catalog)
        except CdpError as error:
            context["error"] = error.message
    return render(request, "segments/builder_compare.html", context)
