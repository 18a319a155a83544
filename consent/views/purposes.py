"""Purposes and their words."""

from __future__ import annotations

import difflib
from copy import copy
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from cdp.common.access import record_look
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from consent.actors import actor_names
from consent.forms import PurposeForm, TextForm
from consent.models import Channel, ConsentText, ExpiryForecast, Purpose, SaleScan
from consent.querysets.states import people_by_text, people_who_agree
from consent.services.expiry import SOON, ending_soon, ends_sooner
from consent.services.purposes import add_text, create_purpose, decides, proposed_purpose, update_purpose
from consent.views.purpose_changes import changed_terms, pack_changes
from profiles.models import CatalogueEntry, Profile

PAGE = 100


@needs("consent.view_purpose")
@require_GET
def purpose_list(request: HttpRequest) -> HttpResponse:
    """List the purposes with how many people said yes."""
    purposes = list(Purpose.objects.order_by("-active", "name"))
    yes = people_who_agree([purpose.pk for purpose in purposes], Channel.values)
    rows = [{"purpose": purpose, "yes": yes.get(purpose.pk, 0)} for purpose in purposes]
    return render(request, "consent/purposes.html", {"rows": rows})


@needs("consent.add_purpose")
@require_http_methods(["GET", "POST"])
def purpose_new(request: HttpRequest) -> HttpResponse:
    """Define a purpose."""
    form = PurposeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        wanted = form.terms()
        wanted.pop("active")
        try:
            purpose = create_purpose(actor=request.user, **wanted)
        except CdpError as error:
            form.add_error(error.place if error.place in form.fields else None, error.message)
        else:
            messages.success(request, _("The purpose exists. Now write the words that people see."))
            _tell_reach(request, purpose)
            _tell_unknown_event(request, purpose)
            return redirect("consent:purpose", slug=purpose.slug)
    status = 422 if form.errors else 200
    return render(request, "consent/purpose_new.html", {"form": form}, status=status)


@needs("consent.view_purpose")
@require_http_methods(["GET", "POST"])
def purpose_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a purpose with its words; change it."""
    purpose = get_object_or_404(Purpose, slug=slug)
    may_change = request.user.has_perm("consent.change_purpose")
    # The form writes what it reads into its instance: the page goes on with a purpose of its own.
    form = PurposeForm(request.POST or None, instance=copy(purpose)) if may_change else None
    if request.method == "POST":
        if form is None:
            return render(request, "403.html", status=403)
        if form.is_valid():
            try:
                return _begin_change(request, purpose, form.terms())
            except CdpError as error:
                form.add_error(error.place if error.place in form.fields else None, error.message)
    context = purpose_context(purpose, form, TextForm())
    return render(request, "consent/purpose.html", context, status=422 if form is not None and form.errors else 200)


def purpose_context(purpose: Purpose, form: PurposeForm | None, text_form: TextForm) -> dict[str, Any]:
    """Return what the page of a purpose shows."""
    return {
        "purpose": purpose,
        "form": form,
        "texts": texts_of(purpose),
        "text_form": text_form,
        "versions": versions_of(purpose),
        "sale_scan": SaleScan.objects.filter(purpose=purpose).first() if purpose.soft_opt_in else None,
        "forecast": ExpiryForecast.objects.filter(purpose=purpose).first(),
    }


def _begin_change(request: HttpRequest, purpose: Purpose, changes: dict[str, Any]) -> HttpResponse:
    """Save what touches nobody's reach; show the effect of the rest first."""
    proposed = proposed_purpose(purpose, changes)
    if decides(purpose, proposed) or ends_sooner(purpose, proposed):
        return redirect(f"{reverse('consent:purpose_change', args=[purpose.slug])}?to={pack_changes(purpose, changes)}")
    update_purpose(purpose_id=purpose.pk, changes=changes, actor=request.user)
    messages.success(request, _("Saved."))
    return redirect("consent:purpose", slug=purpose.slug)


def _tell_reach(request: HttpRequest, purpose: Purpose) -> None:
    """Say how many people a purpose reaches that needs no yes."""
    for channel, reach in (purpose.current.effect if purpose.current is not None else {}).items():
        words = ngettext(
            "Its legal basis needs no yes: it reaches %(count)s person by %(channel)s from now on.",
            "Its legal basis needs no yes: it reaches %(count)s people by %(channel)s from now on.",
            reach["after"],
        )
        messages.warning(request, words % {"count": reach["after"], "channel": Channel(channel).label})


def _tell_unknown_event(request: HttpRequest, purpose: Purpose) -> None:
    """Warn when no sale of this name was ever seen: then nobody comes within reach."""
    event = purpose.soft_opt_in.get("event", "")
    entries = CatalogueEntry.objects
    if event and not entries.events().filter(event=event).exists():
        near = ", ".join(f"“{name}”" for name in entries.similar_events(event))
        words = _("No event “%(event)s” was ever received, so nobody comes within reach by it.") % {"event": event}
        hint = _("Near it: %(names)s.") % {"names": near} if near else ""
        messages.warning(request, f"{words} {hint}".strip())


def versions_of(purpose: Purpose) -> list[dict[str, Any]]:
    """Return the versions, newest first: when, by whom, what changed, whom that reached."""
    rows = list(purpose.versions.order_by("-version"))
    names = actor_names(row.created_by for row in rows)
    return [
        {
            "version": row,
            "by": names[row.created_by],
            "changed": changed_terms(older, row) if older is not None else [],
            "effect": [(Channel(channel).label, reach) for channel, reach in row.effect.items()],
        }
        for row, older in zip(rows, [*rows[1:], None], strict=True)
    ]


@needs("consent.change_purpose")
@require_POST
def text_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Add a version of the words."""
    purpose = get_object_or_404(Purpose, slug=slug)
    form = TextForm(request.POST)
    if not form.is_valid():
        context = purpose_context(purpose, PurposeForm(instance=copy(purpose)), form)
        return render(request, "consent/purpose.html", context, status=422)
    text = add_text(purpose_id=purpose.pk, actor=request.user, **form.cleaned_data)
    messages.success(request, _("Version %(version)s is what people see from now on.") % {"version": text.version})
    return redirect("consent:purpose", slug=slug)


@needs("consent.view_consentrecord")
@require_GET
def purpose_ending(request: HttpRequest, slug: str) -> HttpResponse:
    """List whose permission ends soon without contact, page after page in the order of people."""
    purpose = get_object_or_404(Purpose, slug=slug)
    after = request.GET.get("after", "")
    found = ending_soon(purpose, after=int(after) if after.isdecimal() and len(after) < 19 else 0, limit=PAGE + 1)
    people = Profile.objects.in_bulk([item.profile_id for item in found])
    rows = [{"ends_at": item.ends_at, "person": people.get(item.profile_id)} for item in found[:PAGE]]
    record_look(request, "consent.ending_listed", people.values(), object_kind="purpose", object_id=purpose.slug)
    following = found[PAGE - 1].profile_id if len(found) > PAGE else None
    context = {"purpose": purpose, "rows": rows, "following": following, "days": SOON.days}
    return render(request, "consent/purpose_ending.html", context)


def texts_of(purpose: Purpose) -> list[dict[str, Any]]:
    """Return the versions, newest first: the words, what changed, how many people hold a permission on them."""
    texts = list(ConsentText.objects.filter(purpose=purpose).order_by("-version", "language"))
    agreed, names = people_by_text([text.pk for text in texts]), actor_names(text.created_by for text in texts)
    rows: list[dict[str, Any]] = []
    for text in texts:
        older = next((item for item in texts if item.language == text.language and item.version < text.version), None)
        rows.append(
            {
                "text": text,
                "by": names[text.created_by],
                "agreed": agreed.get(text.pk, 0),
                "diff": text_changed(older, text),
            }
        )
    return rows


def text_changed(older: ConsentText | None, newer: ConsentText) -> list[tuple[str, str]]:
    """Return the words as (same | added | removed, words)."""
    if older is None:
        return []
    before, after = older.text.split(), newer.text.split()
    pieces: list[tuple[str, str]] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(("same", " ".join(before[i1:i2])))
            continue
        if i2 > i1:
            pieces.append(("removed", " ".join(before[i1:i2])))
        if j2 > j1:
            pieces.append(("added", " ".join(after[j1:j2])))
    return pieces
