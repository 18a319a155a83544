"""A change of a purpose, on the way: what it changes, whom it brings within reach, and the confirmation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from cdp.common.access import record_look
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from consent.effects import Effect, effect_of, people_affected
from consent.forms import SALE_FACTS
from consent.models import Basis, Channel, Purpose, PurposeTerms
from consent.services.expiry import count_due, ends_sooner
from consent.services.purposes import proposed_purpose, update_purpose
from profiles.models import Profile

_SALT = "consent.purpose_change"
_PAGE = 50


def pack_changes(purpose: Purpose, changes: Mapping[str, Any]) -> str:
    """Return what differs from the purpose as a signed text for an address."""
    differing = {name: value for name, value in changes.items() if getattr(purpose, name) != value}
    return signing.dumps(differing, salt=f"{_SALT}.{purpose.slug}")


def _unpacked(request: HttpRequest, slug: str) -> tuple[Purpose, dict[str, Any], Purpose]:
    """Return the purpose, the changes of the address, and the purpose as they would make it."""
    purpose = get_object_or_404(Purpose, slug=slug)
    try:
        changes = signing.loads(request.GET.get("to", ""), salt=f"{_SALT}.{slug}")
    except signing.BadSignature:
        raise Http404 from None
    return purpose, changes, proposed_purpose(purpose, changes)


@needs("consent.change_purpose")
@require_http_methods(["GET", "POST"])
def purpose_change(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what a change does to people; save it when its number is typed."""
    error: CdpError | None = None
    try:
        purpose, changes, proposed = _unpacked(request, slug)
        if request.method == "POST":
            typed = request.POST.get("confirm", "").strip()
            confirmed = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 16 else None
            update_purpose(purpose_id=purpose.pk, changes=changes, actor=request.user, confirmed=confirmed)
            messages.success(request, _("Saved as a new version. It took effect at once."))
            if purpose.basis != Basis.SOFT_OPT_IN and proposed.basis == Basis.SOFT_OPT_IN:
                messages.info(request, _("The sales of the past are gone through in the background."))
            return redirect("consent:purpose", slug=slug)
    except CdpError as refused:
        if refused.code != "consent.widens":
            messages.error(request, refused.message)
            return redirect("consent:purpose", slug=slug)
        error = refused
    context = {
        "purpose": purpose,
        "changed": changed_terms(purpose, proposed),
        "to": request.GET["to"],
        "error": error,
        "ending": count_due(proposed) if ends_sooner(purpose, proposed) else 0,
        **_effect_context(effect_of(purpose, proposed)),
    }
    return render(request, "consent/purpose_change.html", context, status=error.status if error else 200)


@needs("consent.change_purpose", "profiles.view_profile")
@require_GET
def purpose_change_people(request: HttpRequest, slug: str) -> HttpResponse:
    """List those whom a change brings within reach, or takes out of it."""
    purpose, _changes, proposed = _unpacked(request, slug)
    gained = request.GET.get("who") != "lost"
    at = request.GET.get("after", "")
    after = int(at) if at.isascii() and at.isdigit() and len(at) < 19 else 0
    ids = people_affected(purpose, proposed, gained=gained, after=after, limit=_PAGE + 1)
    people = Profile.objects.in_bulk(ids[:_PAGE])
    record_look(request, "purpose.affected_listed", people.values(), object_kind="purpose", object_id=purpose.slug)
    context = {
        "purpose": purpose,
        "people": [people[key] for key in ids[:_PAGE] if key in people],
        "gained": gained,
        "to": request.GET["to"],
        "next": ids[_PAGE - 1] if len(ids) > _PAGE else None,
    }
    return render(request, "consent/purpose_change_people.html", context)


def changed_terms(older: PurposeTerms, newer: PurposeTerms) -> list[dict[str, Any]]:
    """Return the terms that differ, in words: label, before, after."""
    was, now = older.term_values(), newer.term_values()
    return [
        {
            "label": _label(name),
            "before": _value_text(name, was[name]),
            "after": _value_text(name, now[name]),
        }
        for name in now
        if was[name] != now[name]
    ]


def _label(name: str) -> Any:
    field = Purpose._meta.get_field(name)
    return _("words shown") if name == "text_version" else getattr(field, "verbose_name", name)


def _value_text(name: str, value: Any) -> str:
    if name == "basis":
        return str(Basis(value).label)
    if name == "channels":
        return ", ".join(str(Channel(channel).label) for channel in value)
    if name == "retention_days":
        return str(value) if value else _("no end")
    if name == "text_version":
        return _("version %(number)s") % {"number": value} if value else _("none")
    if name == "soft_opt_in":
        return "; ".join(filter(None, (value.get(fact, "") for fact in SALE_FACTS))) or "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value) or "–"


def _effect_context(effect: Effect) -> dict[str, Any]:
    channels = [(Channel(channel).label, reach) for channel, reach in effect.channels.items()]
    return {"channels": channels, "gained": effect.gained, "lost": effect.lost}
