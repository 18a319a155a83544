"""The first page: how it goes, what is on its way, what needs a person."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from cdp.common.guards import GuardedView
from cdp.common.registry import home_cards
from cdp.home import figures, needs


class HomeView(GuardedView, TemplateView):
    """Home. Its parts come from all apps; each reader sees those that the role allows."""

    template_name = "home/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return the figures, the parts of the apps and, in a new installation, the checklist."""
        request = self.request
        sees_people = request.user.has_perm("profiles.view_profile")
        return super().get_context_data(
            greeting=greeting(),
            checklist=needs.checklist_of(request.user),
            needs=needs.needs_of(request.user),
            pulse=figures.pulse(),
            figures=own_figures() if sees_people else [],
            slots=slots(request),
            sees_events=request.user.has_perm("profiles.view_source"),
            **kwargs,
        )


def greeting() -> str:
    """Return a greeting for the reader's time of day."""
    hour = timezone.localtime().hour
    if hour < 5 or hour >= 18:
        return _("Good evening")
    return _("Good morning") if hour < 12 else _("Good afternoon")


def own_figures() -> list[dict[str, Any]]:
    """Return people, active people and today's events with their lines."""
    people, active = figures.people(), figures.active_people()
    about = _("about, by the database's statistics")
    return [
        {
            "label": _("People"),
            "value": people.value,
            "url": "profiles:people",
            "points": figures.new_people_by_day(),
            "detail": about if people.about else "",
        },
        {
            "label": _("Active, 30 days"),
            "value": active.value,
            "url": "profiles:people",
            "query": "?seen_in=30",
            "points": figures.active_by_day(),
            "detail": about if active.about else "",
        },
        {
            "label": _("Events today"),
            "value": figures.events_today(),
            "url": "profiles:live",
            "points": figures.events_by_day(),
            "detail": "",
        },
    ]


def slots(request: HttpRequest) -> dict[str, list[SafeString]]:
    """Return the drawn parts of all apps by slot, in order, those that the reader may see."""
    drawn: dict[str, list[SafeString]] = {}
    for card in sorted(home_cards, key=lambda card: card.order):
        if card.permission and not request.user.has_perm(card.permission):
            continue
        context = card.context(request)
        if context is not None:
            drawn.setdefault(card.slot, []).append(render_to_string(card.template, context, request=request))
    return drawn
