"""The page of one person: who, what, why, and what they allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from cdp.common import registry
from cdp.common.access import record_access, record_look
from cdp.common.guards import needs
from cdp.common.masking import DOTS, Reader, reader_of
from cdp.common.registry import TimelineEntry
from cdp.common.templatetags.kit import label
from profiles.forms.people import KINDS, kind_of_value, text_of_value
from profiles.identity.traits import SENDING_ADDRESS, source_of
from profiles.models import Identifier, IdentifierKind, Merge, Profile, Source, TraitChange
from profiles.models.identity import MergeState
from profiles.querysets.traits import said_about
from profiles.timeline import cause_label, masked, source_names, timeline_page
from profiles.views.people import shown_name

CHIPS = (
    ("", gettext_lazy("All")),
    ("web", gettext_lazy("Web")),
    ("order", gettext_lazy("Orders")),
    ("message", gettext_lazy("Messages")),
    ("consent", gettext_lazy("Consent")),
    ("change", gettext_lazy("Changes")),
)
#: identifiers and merges shown at once
MOST_IDENTIFIERS = 25
MOST_MERGES = 10


def person_or_404(uuid: UUID) -> Profile:
    """Return the person; 404 in words."""
    profile = Profile.objects.filter(uuid=uuid).first()
    if profile is None:
        raise Http404(_("There is no person with this id."))
    return profile


def survivor(profile: Profile) -> Profile:
    """Return the person that this one was merged into, at the end of the chain; itself when it was not."""
    seen = {profile.pk}
    while profile.merged_into_id is not None and profile.merged_into_id not in seen:
        seen.add(profile.merged_into_id)
        winner = Profile.objects.filter(pk=profile.merged_into_id).first()
        if winner is None:
            break
        profile = winner
    return profile


@needs("profiles.view_profile")
@require_GET
def person(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Draw the page; note the look-up in the access log."""
    profile = person_or_404(uuid)
    if profile.merged_into_id is not None and (winner := survivor(profile)).pk != profile.pk:
        return redirect("profiles:person", uuid=winner.uuid)
    record_access(request=request, action="profile.viewed", object_kind="profile", object_id=str(profile.uuid))
    if profile.erased_at is not None:
        return render(request, "profiles/person_erased.html", {"person": profile}, status=410)
    reader = reader_of(request)
    panels = list(drawn_panels(request, profile))
    context = {
        "person": profile,
        "name": shown_name(profile, request.user),
        "place": [text for key in ("city", "country") if (text := shown_place(profile, key, reader))],
        "traits": traits_of(profile, reader),
        **identifiers_of(profile, reader),
        "merges": merges_of(profile),
        "panels": [html for html, _context in panels],
        "header_chips": [chip for _html, given in panels for chip in given.get("header_chips", ())],
        "header_actions": [given["header_actions"] for _html, given in panels if given.get("header_actions")],
        "facts": [fact for _html, given in panels for fact in given.get("header_facts", ())],
        "kinds": KINDS,
        "may_edit": request.user.has_perm("profiles.change_profile"),
        "may_merge": request.user.has_perm("profiles.merge_profile"),
        "may_export": reader.sees_people and request.user.has_perm("profiles.export_profile"),
        **timeline_context(request, profile),
    }
    return render(request, "profiles/person.html", context)


@needs("profiles.view_profile")
@require_GET
def person_timeline(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Draw a further stretch of the timeline, or one chip's part of it, for htmx."""
    profile = person_or_404(uuid)
    if not getattr(request, "htmx", False):
        return redirect(f"{reverse('profiles:person', args=[uuid])}?{request.GET.urlencode()}")
    record_look(request, "profile.timeline_viewed", [profile])
    template = "profiles/_timeline_more.html" if request.GET.get("before") else "profiles/_timeline.html"
    return render(request, template, {"person": profile, **timeline_context(request, profile)})


@needs("profiles.view_profile")
@require_GET
def trait_history(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Draw where a trait's values came from, newest first."""
    profile = person_or_404(uuid)
    key = request.GET.get("trait", "").replace("\x00", "")[:100]
    keys = [key, SENDING_ADDRESS] if key == "email" else [key]
    record_look(request, "profile.history_viewed", [profile])
    rows = list(TraitChange.objects.filter(profile_id=profile.pk, key__in=keys).order_by("-at", "-id")[:50])
    names = source_names({row.source_id for row in rows if row.source_id})
    reader = reader_of(request)
    if reader.key(key) != key:
        raise Http404(_("There is no such trait."))
    changes = [
        {
            "at": row.at,
            "old": reader.trait(key, row.old),
            "new": reader.trait(key, row.new),
            "origin": names.get(row.source_id or 0) or cause_label(row.cause),
            "about": "" if row.key == key else label(row.key),
        }
        for row in rows
    ]
    value = profile.traits.get(key)
    context = {
        "person": profile,
        "key": key,
        "changes": changes,
        "ignored": ignored_values(profile, key, reader),
        "pinned": bool(profile.origins.get(key, {}).get("pin")),
        "has_value": value is not None,
        "kinds": KINDS,
        "kind": kind_of_value(value),
        "text": text_of_value(reader.trait(key, value)),
        # Who may not see the value may not overwrite it blindly; an object is changed by its source.
        "may_edit": reader.sees_people
        and request.user.has_perm("profiles.change_profile")
        and not isinstance(value, dict),
    }
    return render(request, "profiles/_trait_history.html", context)


@needs("profiles.export_profile", "profiles.view_pii")
@require_POST
def person_export(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Give everything that all apps hold of the person, as JSON; note it in the access log."""
    profile = person_or_404(uuid)
    if profile.erased_at is not None:
        raise Http404(_("This person was erased; there is nothing left to export."))
    holders = {name: holder.collect(profile.pk) for name, holder in registry.personal_data.items()}
    record_access(request=request, action="profile.exported", object_kind="profile", object_id=str(profile.uuid))
    document = {
        "id": str(profile.uuid),
        "exported_at": timezone.now().isoformat(),
        "traits": profile.traits,
        "identifiers": list(
            Identifier.objects.filter(profile=profile).values("kind", "value", "trusted_at", "confirmed_at")
        ),
        **holders,
    }
    body = json.dumps(document, ensure_ascii=False, indent=2, default=str)
    response = HttpResponse(body, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="person-{profile.uuid}.json"'
    response["Cache-Control"] = "no-store"
    return response


# Parts -------------------------------------------------------------------------------------------------------------
def drawn_panels(request: HttpRequest, profile: Profile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the cards of all apps as (HTML, context), in order, those the reader may see."""
    for panel in sorted(registry.profile_panels, key=lambda panel: panel.order):
        if panel.permission and not request.user.has_perm(panel.permission):
            continue
        context = panel.context(request, profile)
        if context is not None:
            yield render_to_string(panel.template, {**context, "person": profile}, request=request), context


def short_origin(cause: str, source: Source | None) -> str:
    """Return one word or two for where a value came from; the whole name is shown on hover."""
    if source is None or not cause.startswith("identify"):
        return cause_label(cause)
    return {"browser": _("web"), "server": _("server")}.get(source.kind, source.name)


#: why a source's word on a trait is not the one that stands; see profiles.identity.traits.Word
UNUSED = {
    "older": gettext_lazy("a newer value stands"),
    "public": gettext_lazy("a website's key never overwrites what a trusted source said"),
    "untied": gettext_lazy("it was said of a device that only a website tied to this person"),
    "pinned": gettext_lazy("somebody pinned the value"),
}


def ignored_values(profile: Profile, key: str, reader: Reader) -> list[dict[str, Any]]:
    """Return what else sources say about a trait, and why it is not used."""
    words = [word for word in said_about(profile.pk, key) if word.unused]
    names = source_names({source for word in words if (source := source_of(word.slot)) is not None})
    return [
        {
            "value": reader.trait(key, word.value),
            "origin": names.get(source_of(word.slot) or 0) or cause_label(word.cause),
            "at": _moment(word.at),
            "reason": UNUSED[word.unused],
        }
        for word in words
    ]


def shown_place(profile: Profile, key: str, reader: Reader) -> str:
    """Return where the person lives, as far as this reader may know."""
    value = reader.trait(key, profile.traits.get(key))
    return value if isinstance(value, str) and value != DOTS else ""


def traits_of(profile: Profile, reader: Reader) -> list[dict[str, Any]]:
    """Return the traits with where each came from."""
    origins = profile.origins if isinstance(profile.origins, dict) else {}
    sources = Source.objects.in_bulk(
        {origin["s"] for origin in origins.values() if isinstance(origin, dict) and origin.get("s")}
    )
    rows = []
    for key, value in sorted(profile.traits.items(), key=lambda item: item[0].lower()):
        said = origins.get(key)
        origin: dict[str, Any] = said if isinstance(said, dict) else {}
        at = _moment(str(origin.get("t", "")))
        rows.append(
            {
                "key": key if reader.key(key) == key else "",
                "label": reader.text(label(key)),
                "value": reader.trait(key, value),
                "source": sources.get(origin.get("s") or 0, ""),
                "short": short_origin(str(origin.get("c", "")), sources.get(origin.get("s") or 0)),
                "cause": cause_label(str(origin.get("c", ""))),
                "at": at,
                "pinned": bool(origin.get("pin")),
            }
        )
    return rows


def identifiers_of(profile: Profile, reader: Reader) -> dict[str, Any]:
    """Return the identifiers by kind, strongest kinds first, and how many devices are left out."""
    kinds = {kind.name: kind for kind in IdentifierKind.objects.all()}
    rows = list(
        Identifier.objects.filter(profile_id=profile.pk)
        .defer("assertions")
        .order_by("-last_seen_at")[: MOST_IDENTIFIERS + 1]
    )
    rows.sort(key=lambda row: kinds[row.kind].priority if row.kind in kinds else 99)
    shown = [
        {
            "value": reader.identifier(row.kind, row.value),
            "kind": kinds[row.kind].words if row.kind in kinds else row.kind,
            "trusted": row.trusted,
            "confirmed_at": row.confirmed_at,
            "last_seen_at": row.last_seen_at,
        }
        for row in rows[:MOST_IDENTIFIERS]
    ]
    return {"identifiers": shown, "more_identifiers": len(rows) > MOST_IDENTIFIERS}


def merges_of(profile: Profile) -> list[Merge]:
    """Return the newest merges of the person, those to review first."""
    rows = Merge.objects.filter(winner_id=profile.pk).exclude(state=MergeState.DISMISSED).select_related("loser")
    newest = list(rows.order_by("-at").only("at", "state", "cause", "moved", "loser__identified")[:MOST_MERGES])
    for merge in newest:
        merge.dialog = str(merge.pk)  # type: ignore[attr-defined]  # a name for the template
    return sorted(newest, key=lambda merge: merge.state != MergeState.QUARANTINED)


def timeline_context(request: HttpRequest, profile: Profile) -> dict[str, Any]:
    """Return the stretch of the timeline that the address asks for, by day in the reader's zone."""
    asked = request.GET.get("kind", "")
    chip = asked if asked in {name for name, _label in CHIPS} else ""
    before = _moment(request.GET.get("before", ""))
    page = timeline_page(profile.pk, before=before, kinds={chip} if chip else None)
    entries = masked(page.entries, reader_of(request))
    return {
        "days": by_day(entries, begun=timezone.localdate(before) if before else None),
        "older": page.older.isoformat() if page.older else "",
        "chips": [(name, label, name == chip) for name, label in CHIPS],
        "chip": chip,
    }


def by_day(entries: list[TimelineEntry], begun: date | None = None) -> list[tuple[str, list[TimelineEntry]]]:
    """Group entries under the words for their day; the day that the stretch above has `begun` gets none again."""
    days = groupby(entries, key=lambda entry: timezone.localdate(entry.at))
    return [("" if day == begun else day_label(day), list(group)) for day, group in days]


def day_label(day: date) -> str:
    """Return `Today`, `Yesterday`, `9 November`, or with the year when it is another one."""
    today = timezone.localdate()
    if day == today:
        return _("Today")
    if (today - day).days == 1:
        return _("Yesterday")
    return date_format(day, "j F" if day.year == today.year else "j F Y")


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text.replace(" ", "+")) if len(text) < 50 else None
    except ValueError:
        return None
    return moment if moment is not None and timezone.is_aware(moment) else None


urlpatterns = [
    path("people/<uuid:uuid>/", person, name="person"),
    path("people/<uuid:uuid>/timeline/", person_timeline, name="person_timeline"),
    path("people/<uuid:uuid>/history/", trait_history, name="trait_history"),
    path("people/<uuid:uuid>/export/", person_export, name="person_export"),
]
