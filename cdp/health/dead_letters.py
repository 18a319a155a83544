"""The page of dead letters: what a queue gave up on, to retry or to discard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from cdp.common.dead_letters import (
    discard_dead_letter,
    queue_label,
    reason_text,
    retry_dead_letter,
    retry_dead_letters,
)
from cdp.common.errors import CdpError
from cdp.common.filters import ChoiceFilter, ListFilters
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from cdp.common.models import DeadLetter
from cdp.common.queues import queues


def queue_choices() -> list[tuple[str, Any]]:
    """Return the queues there are, and those that dead letters are of."""
    names = set(dict(queues.items())) | set(DeadLetter.objects.values_list("queue", flat=True).distinct())
    return sorted(((name, queue_label(name)) for name in names), key=lambda choice: choice[1])


class DeadLetterFilters(ListFilters):
    """Dead letters."""

    queue = ChoiceFilter(label=gettext_lazy("Queue"), choices=queue_choices)


class DeadLetterList(ListPage):
    """Show what was given up, the last first."""

    permission_required = "common.view_deadletter"
    template_name = "health/dead_letters.html"
    filters = DeadLetterFilters
    columns = (
        Column(name="queue", label=gettext_lazy("Queue")),
        Column(name="key", label=gettext_lazy("Item")),
        Column(name="reason", label=gettext_lazy("Why")),
        Column(name="attempts", label=gettext_lazy("Attempts"), numeric=True),
        Column(name="last", label=gettext_lazy("Last tried"), sort="last_tried_at", descending_first=True),
        Column(name="do", label=""),
    )
    default_sort = "-last"
    empty = (
        gettext_lazy("Nothing was given up"),
        gettext_lazy(
            "An event, import, segment or message that fails again and again ends here, so that the others go on."
        ),
        "",
        "",
    )

    def get_queryset(self) -> QuerySet[Any]:
        """Return all of them."""
        return DeadLetter.objects.all()

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Add the words."""
        for row in rows:
            row.queue_label, row.reason_text = queue_label(row.queue), reason_text(row)
            row.discard_id = f"discard-{row.pk}"
        return rows

    def extra_context(self) -> dict[str, Any]:
        """Return which queue "retry all" is about."""
        return {"retry_hidden": {"queue": self.chosen.get("queue", "")}}


@require_POST
@needs("common.change_deadletter")
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Put one back into its queue."""
    try:
        retry_dead_letter(letter_id=pk, actor=request.user)
    except CdpError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("It was put back into its queue. If it fails again, it comes back here."))
    return redirect("dead_letters")


@require_POST
@needs("common.change_deadletter")
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Let go of one for good."""
    try:
        discard_dead_letter(letter_id=pk, actor=request.user)
    except CdpError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("It was discarded."))
    return redirect("dead_letters")


@require_POST
@needs("common.change_deadletter")
def retry_all(request: HttpRequest) -> HttpResponse:
    """Retry all of a queue, or of every queue."""
    letters = DeadLetter.objects.all()
    if queue := request.POST.get("queue", ""):
        letters = letters.filter(queue=queue)
    put_back, refused = retry_dead_letters(letters=letters, actor=request.user)
    text = ngettext("%(count)s was put back into its queue.", "%(count)s were put back into their queues.", put_back)
    messages.success(request, text % {"count": put_back})
    if refused:
        messages.warning(request, _("%(count)s could not be put back.") % {"count": refused})
    return redirect("dead_letters")
