"""Answer many merges that wait for review at once: those ticked, or all that the list shows under its filters."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from cdp.common.access import record_access
from cdp.common.counting import capped_count
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from profiles.models import Merge
from profiles.models.identity import MergeState
from profiles.services.merges import dismiss_merge, merge_profiles

MOST_TICKED = 200
#: a page answers within the time that people wait; what is left is told, and stays in the list
SECONDS = 10.0
ANSWERS = ("merge", "apart")


@needs("profiles.merge_profile")
@require_POST
def settle_merges(request: HttpRequest) -> HttpResponse:
    """Ask whether it is meant, then answer each: `answer` is `merge` or `apart`, `which` is `ticked` or `all`."""
    answer, which = request.POST.get("answer", ""), request.POST.get("which", "ticked")
    rows = _chosen(request) if which != "all" else Merge.objects.filter(state=MergeState.QUARANTINED)
    count = capped_count(rows)
    if answer not in ANSWERS or not count:
        messages.error(request, _("Tick merges that wait for review, and choose what they are."))
        return redirect("profiles:merges")
    if request.POST.get("confirm") != "yes":
        ids = list(rows.values_list("pk", flat=True)) if which != "all" else []
        context = {"answer": answer, "which": which, "ids": ids, "count": count}
        return render(request, "profiles/merges_confirm.html", context)
    _settle(request, rows, answer)
    return redirect("profiles:merges")


def _chosen(request: HttpRequest) -> QuerySet[Merge]:
    ids = [int(text) for text in request.POST.getlist("merge")[:MOST_TICKED] if text.isdecimal() and len(text) < 19]
    return Merge.objects.filter(pk__in=ids, state=MergeState.QUARANTINED)


def _settle(request: HttpRequest, rows: QuerySet[Merge], answer: str) -> None:
    until = time.monotonic() + SECONDS
    done = failed = 0
    for merge in rows.select_related("winner").order_by("pk").iterator(chunk_size=200):
        if time.monotonic() > until:
            messages.warning(request, _("There was no time for all of them. The others are still in the list."))
            break
        try:
            _answer(merge, answer, request.user)
        except CdpError:
            failed += 1  # settled by a colleague meanwhile, or by an answer just before
            continue
        done += 1
        action = "profile.merged" if answer == "merge" else "profile.kept_apart"
        record_access(request=request, action=action, object_kind="profile", object_id=str(merge.winner.uuid))
    told = ngettext("%(count)s merge was answered.", "%(count)s merges were answered.", done) % {"count": done}
    messages.success(request, told)
    if failed:
        messages.warning(request, _("Could not be answered any more: %(count)s.") % {"count": failed})


def _answer(merge: Merge, answer: str, actor: Any) -> None:
    if answer == "merge":
        merge_profiles(winner_id=merge.winner_id, loser_id=merge.loser_id, actor=actor)
    else:
        dismiss_merge(merge_id=merge.pk, actor=actor)


urlpatterns = [path("people/merges/settle/", settle_merges, name="settle_merges")]
