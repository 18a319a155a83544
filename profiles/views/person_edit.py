"""What a person of ours changes on a person's page: traits, merges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from profiles.filters import MergeFilters
from profiles.forms.people import TraitForm
from profiles.models import Merge, Source
from profiles.models.identity import MergeState
from profiles.services.merges import dismiss_merge, merge_profiles, undo_merge
from profiles.services.traits import set_traits
from profiles.views.people import shown_name
from profiles.views.person import person_or_404

#: the source that everything typed in here comes from
MANUAL = "manual"
CAUSES = {
    "limit": gettext_lazy("more identifiers of one kind than a person may have"),
    "weak": gettext_lazy("only a website said so"),
    "size": gettext_lazy("very many identifiers hang together here"),
    "link": gettext_lazy("seen together"),
    "manual": gettext_lazy("merged by hand"),
}


@needs("profiles.change_profile")
@require_POST
def edit_trait(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Set or remove one trait."""
    profile = person_or_404(uuid)
    form = TraitForm(request.POST)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(str(error) for error in errors))
        return redirect("profiles:person", uuid=uuid)
    key = form.cleaned_data["key"]
    removed = [key] if form.cleaned_data["remove"] else []
    values = {} if removed else {key: form.cleaned_data["parsed"]}
    pinned = [key] if form.cleaned_data["pin"] and not removed else []
    try:
        changed = set_traits(
            profile_id=profile.pk,
            values=values,
            removed=removed,
            pinned=pinned,
            unpinned=[key],
            source=Source.objects.get(slug=MANUAL),
            cause="manual",
            actor=request.user,
        )
    except CdpError as error:
        messages.error(request, error.message)
        return redirect("profiles:person", uuid=uuid)
    _note(request, "profile.changed", uuid, traits=sorted(changed))
    messages.success(request, _("Saved.") if changed else _("Nothing changed: it already was so."))
    return redirect("profiles:person", uuid=uuid)


@needs("profiles.change_profile")
@require_POST
def pin_trait(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Pin the value that a trait has, or unpin it: `pin` is 1 or 0."""
    profile = person_or_404(uuid)
    key, pin = request.POST.get("key", "").replace("\x00", "")[:100], request.POST.get("pin") == "1"
    try:
        set_traits(
            profile_id=profile.pk,
            values={},
            pinned=[key] if pin else [],
            unpinned=[] if pin else [key],
            source=Source.objects.get(slug=MANUAL),
            cause="manual",
            actor=request.user,
        )
    except CdpError as error:
        messages.error(request, error.message)
        return redirect("profiles:person", uuid=uuid)
    _note(request, "profile.changed", uuid, **{"pinned" if pin else "unpinned": key})
    messages.success(
        request,
        _("Pinned: the value stays, whatever sources say.") if pin else _("Unpinned: the newest value stands again."),
    )
    return redirect("profiles:person", uuid=uuid)


@needs("profiles.merge_profile")
@require_POST
def unmerge(request: HttpRequest, uuid: UUID, merge_id: int) -> HttpResponse:
    """Undo a merge."""
    profile = person_or_404(uuid)
    get_object_or_404(Merge, pk=merge_id, winner_id=profile.pk)
    return _settle(
        request,
        uuid,
        lambda: undo_merge(merge_id=merge_id, actor=request.user),
        "profile.unmerged",
        _("They are two people again, each with what is their own."),
        redirect("profiles:person", uuid=uuid),
    )


@needs("profiles.merge_profile")
@require_POST
def settle_merge(request: HttpRequest, merge_id: int) -> HttpResponse:
    """Answer a merge that waits for review: `answer` is `merge` or `apart`."""
    merge = get_object_or_404(Merge.objects.select_related("winner"), pk=merge_id, state=MergeState.QUARANTINED)
    back = redirect("profiles:merges")
    answer = request.POST.get("answer")
    if answer == "merge":
        return _settle(
            request,
            merge.winner.uuid,
            lambda: merge_profiles(winner_id=merge.winner_id, loser_id=merge.loser_id, actor=request.user),
            "profile.merged",
            _("They are one person now."),
            back,
        )
    if answer == "apart":
        return _settle(
            request,
            merge.winner.uuid,
            lambda: dismiss_merge(merge_id=merge_id, actor=request.user),
            "profile.kept_apart",
            _("They stay two people."),
            back,
        )
    messages.error(request, _("Choose whether they are one person or two."))
    return back


def _settle(
    request: HttpRequest, uuid: UUID, act: Callable[[], Any], action: str, told: str, back: HttpResponse
) -> HttpResponse:
    """Run a service; say how it went, and note it."""
    try:
        act()
    except CdpError as error:
        messages.error(request, error.message)
        return back
    _note(request, action, uuid)
    messages.success(request, told)
    return back


def _note(request: HttpRequest, action: str, uuid: UUID, **detail: Any) -> None:
    record_access(request=request, action=action, object_kind="profile", object_id=str(uuid), detail=detail)


class MergeList(ListPage):
    """Merges of people: those that wait for a decision, and those that were made."""

    permission_required = "profiles.merge_profile"
    template_name = "profiles/merges.html"
    look_action = "merge.listed"
    filters = MergeFilters
    columns = (
        Column(name="people", label=gettext_lazy("These two")),
        Column(name="cause", label=gettext_lazy("Why")),
        Column(name="at", label=gettext_lazy("When"), sort="at", descending_first=True),
        Column(name="state", label=gettext_lazy("State")),
        Column(name="act", label=""),
    )
    default_sort = "-at"
    empty = (
        gettext_lazy("No merges yet"),
        gettext_lazy(
            "When two people turn out to be one (a visitor logs in, an order names an address), they are merged by "
            "themselves. Doubtful ones wait here for you."
        ),
        "",
        "",
    )

    def get_queryset(self) -> QuerySet[Merge]:
        """Return all merges with their people."""
        people = ("winner", "loser")
        wide = [f"{side}__{column}" for side in people for column in ("traits", "origins", "search_text")]
        return Merge.objects.select_related(*people).defer(*wide)

    def people_on(self, rows: Sequence[Any]) -> Iterable[Any]:
        """Return both sides of every merge."""
        return [one for row in rows for one in (row.winner, row.loser)]

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Give both sides the names that this reader may see, and the cause its words."""
        for row in rows:
            row.winner_name = shown_name(row.winner, self.request.user)
            row.loser_name = shown_name(row.loser, self.request.user)
            row.words = CAUSES.get(row.cause, row.cause)
        return rows


urlpatterns = [
    path("people/merges/", MergeList.as_view(), name="merges"),
    path("people/merges/<int:merge_id>/", settle_merge, name="settle_merge"),
    path("people/<uuid:uuid>/traits/", edit_trait, name="edit_trait"),
    path("people/<uuid:uuid>/traits/pin/", pin_trait, name="pin_trait"),
    path("people/<uuid:uuid>/merges/<int:merge_id>/undo/", unmerge, name="undo_merge"),
]
