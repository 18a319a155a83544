"""The list of people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from cdp.common import registry
from cdp.common.lists import Column, ListPage
from cdp.common.masking import Reader, reader_of
from profiles.filters import ProfileFilters
from profiles.models import Profile

KNOWN = "known"
VISITORS = "visitors"


def shown_name(profile: Profile, user: AbstractBaseUser | AnonymousUser | None) -> str:
    """Return the name to show this reader; a visitor without one is called by the end of the id."""
    if not profile.display_name:
        return str(_("Visitor %(id)s") % {"id": str(profile.uuid)[-6:]})
    return Reader(user).name(profile.display_name)


class PeopleList(ListPage):
    """People: find one, or look who was here."""

    permission_required = "profiles.view_profile"
    template_name = "profiles/people.html"
    filters = ProfileFilters
    columns = (
        Column(name="id", label=_("ID"), export=lambda row: row.uuid),
        Column(
            name="name",
            label=_("Name"),
            sort="display_name",
            few_only=True,
            personal=True,
            export=lambda row: row.display_name,
        ),
        Column(name="email", label=_("Mail address"), export=lambda row: row.email),
        Column(name="known", label=_("Known"), export=lambda row: "yes" if row.identified else "no"),
        Column(
            name="first",
            label=_("Known since"),
            sort="first_seen_at",
            few_only=True,
            descending_first=True,
            export=lambda row: row.first_seen_at,
        ),
        Column(
            name="seen",
            label=_("Last seen"),
            sort="seen_key",
            descending_first=True,
            export=lambda row: row.last_seen_at,
        ),
    )
    hidden_columns = ("id",)
    default_sort = "-seen"
    search_label = _("Name, mail address or id")
    masked_search_label = _("The whole id of a person")
    empty = (
        _("Nobody yet"),
        _(
            "Everyone who visits, buys or signs up gets one page here, with all they did. Connect a website or "
            "server, or import a contact file."
        ),
        "profiles:sources",
        _("Connect a source"),
    )
    export_permission = "profiles.export_profile"
    export_name = "people"
    export_person = "pk"
    export_action = "profile.exported"
    look_action = "profile.listed"

    def get_queryset(self) -> QuerySet[Profile]:
        """Return the people who are alive."""
        return Profile.objects.listed()

    def people_on(self, rows: Sequence[Any]) -> Iterable[Any]:
        """Return the people: every row is one."""
        return rows

    def csv_lines(self, rows: QuerySet[Any]) -> Iterator[str]:
        """Yield the lines; whose data is restricted stays here."""
        return super().csv_lines(rows.filter(restricted_at=None))

    def extra_context(self) -> dict[str, Any]:
        """Return what this reader may do with many people at once."""
        kept = [(name, value) for name, value in self.chosen_values().items() if name != "search"]
        return {"actions": self.actions, "selection": [("q", self.text), *kept] if self.text else kept}

    @cached_property
    def actions(self) -> list[registry.PeopleAction]:
        """What may be done with those who are ticked, or with all that were found."""
        user = self.request.user
        return [action for action in registry.people_actions if user.has_perms(list(action.permissions))]

    def headers(self) -> list[dict[str, Any]]:
        """Head the boxes to tick as well, where there is something to do with the ticked ones."""
        heads = super().headers()
        tick = {"label": _("Tick"), "numeric": False, "sort": "", "state": ""}
        return [tick, *heads] if self.actions else heads

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Give every person the name that this reader may see."""
        reader = reader_of(self.request)
        for profile in rows:
            profile.shown_name = shown_name(profile, self.request.user)
            profile.shown_email = reader.identifier("email", profile.email)
        return rows


def search_box(user: Any, text: str, limit: int) -> list[dict[str, str]]:
    """Answer the search box with people."""
    if not user.has_perm("profiles.view_profile"):
        return []
    reader = Reader(user)
    rows = Profile.objects.listed().found_by(text, reader.sees_people).by_last_seen()[:limit]
    return [
        {
            "label": shown_name(profile, user),
            "detail": reader.identifier("email", profile.email),
            "url": reverse("profiles:person", args=[profile.uuid]),
            "person": str(profile.uuid),
            "kind": str(_("People")),
        }
        for profile in rows
    ]


urlpatterns = [path("people/", PeopleList.as_view(), name="people")]
