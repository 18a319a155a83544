"""How long data is kept: what there is, what was removed, and the period of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.models import RetentionPeriod, RetentionRun
from cdp.common.retention import COUNT_CAP, GROUPS, DataClass, Survey, kept_data, period_of, retention
from cdp.retention.engine import next_night
from cdp.retention.forms import PeriodForm
from cdp.retention.services import find_class, set_period

MAY_SEE = "common.view_retentionrun"
MAY_SET = "common.change_retentionperiod"
RUNS_SHOWN = 30
GROUP_LABELS = {
    "customers": gettext_lazy("People and imports"),
    "privacy": gettext_lazy("Permissions and logs"),
    "segments": gettext_lazy("Segments"),
    "campaigns": gettext_lazy("Campaigns"),
    "system": gettext_lazy("Collection and system"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A class of data on the page."""

    name: str
    data: DataClass
    days: int | None
    last: RetentionRun | None

    @property
    def url(self) -> str:
        """Return where its period is set."""
        return reverse(self.data.own_periods) if self.data.own_periods else reverse("retention_class", args=[self.name])

    @property
    def next_removal(self) -> datetime | None:
        """Return the night in which the oldest row goes; None when nothing is there, or nothing is removed."""
        if self.days is None or self.last is None or self.last.oldest_at is None:
            return None
        return max(next_night(timezone.now()), next_night(self.last.oldest_at + timedelta(days=self.days)))


def lines() -> list[Line]:
    """Return every class with its period and its last run."""
    chosen = dict(RetentionPeriod.objects.values_list("name", "days"))
    last = {run.name: run for run in RetentionRun.objects.order_by("name", "-night").distinct("name")}
    return [Line(name, data, chosen.get(name, data.default_days), last.get(name)) for name, data in retention.items()]


@needs(MAY_SEE)
@require_safe
def retention_page(request: HttpRequest) -> HttpResponse:
    """Show every class of data, with its period or the reason why it has none."""
    found = lines()
    groups = [
        {
            "label": GROUP_LABELS[group],
            "lines": [line for line in found if line.data.group == group],
            "kept": [kept for kept in kept_data if kept.group == group],
        }
        for group in GROUPS
    ]
    context = {"groups": groups, "next_night": next_night(timezone.now()), "problems": problems(found)}
    return render(request, "retention/retention.html", context)


def problems(found: Sequence[Line]) -> list[Line]:
    """Return the classes whose last run failed."""
    return [line for line in found if line.last is not None and line.last.problem]


@needs(MAY_SEE)
@require_http_methods(["GET", "POST"])
def retention_class(request: HttpRequest, name: str) -> HttpResponse:
    """Show one class with its runs; change its period. A shorter one says first what it would remove."""
    try:
        data = find_class(name)
    except CdpError as error:
        return render(request, "404.html", {"message": error.message}, status=404)
    days = period_of(name)
    form = PeriodForm(request.POST or None, data_class=data, initial={"days": days, "endless": days is None})
    consequences = None
    if request.method == "POST":
        if not request.user.has_perm(MAY_SET):
            return render(request, "403.html", status=403)
        if form.is_valid():
            wanted: int | None = form.cleaned_data["days"]
            if _is_shorter(wanted, days) and form.cleaned_data.get("agreed") != wanted:
                consequences = _consequences(data, wanted)
            elif _save(request, name, wanted, form):
                return redirect("retention_class", name=name)
    context = {
        "name": name,
        "data": data,
        "days": days,
        "form": form if request.user.has_perm(MAY_SET) else None,
        "consequences": consequences,
        "next_night": next_night(timezone.now()),
        "period": RetentionPeriod.objects.filter(name=name).first(),
        "runs": RetentionRun.objects.filter(name=name).order_by("-night")[:RUNS_SHOWN],
    }
    return render(request, "retention/class.html", context, status=422 if form.errors else 200)


def _is_shorter(wanted: int | None, now: int | None) -> bool:
    return wanted is not None and (now is None or wanted < now)


def _consequences(data: DataClass, wanted: int | None) -> dict[str, Any]:
    survey: Survey = data.survey(timezone.now() - timedelta(days=wanted or 0))
    return {"days": wanted, "waiting": survey.waiting, "oldest": survey.oldest, "cap": COUNT_CAP}


def _save(request: HttpRequest, name: str, wanted: int | None, form: PeriodForm) -> bool:
    try:
        set_period(name=name, days=wanted, request=request)
    except CdpError as error:
        form.add_error(error.place if error.place in form.fields else None, error.message)
        return False
    messages.success(request, _("Saved. The next nightly run goes by it."))
    return True
