"""The suppression list: addresses that may not be used, known only by their digest."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.lists import Column, ListPage
from consent.filters import SuppressionFilters
from consent.forms import AddressForm, SuppressForm
from consent.models import Suppression
from consent.services.suppressing import find_suppressions, lift_suppression, suppress_address


class SuppressionList(ListPage):
    """The list, newest first."""

    permission_required = "consent.view_suppression"
    template_name = "consent/suppression.html"
    filters = SuppressionFilters
    columns = (
        Column(name="since", label=gettext_lazy("Since"), sort="created_at", descending_first=True),
        Column(name="kind", label=gettext_lazy("Kind")),
        Column(name="digest", label=gettext_lazy("Digest")),
        Column(name="reason", label=gettext_lazy("Reason")),
        Column(name="by", label=gettext_lazy("By")),
        Column(name="state", label=gettext_lazy("State")),
    )
    default_sort = "-since"
    empty: ClassVar[tuple[Any, Any, str, Any]] = (
        gettext_lazy("No address is suppressed"),
        gettext_lazy(
            "Addresses of erased people, of complaints and of bounces come here, as digests. "
            "Nothing is ever sent to them, whatever an import says."
        ),
        "consent:suppression_add",
        gettext_lazy("Add an address"),
    )

    def get_queryset(self) -> QuerySet[Suppression]:
        """Return all entries."""
        return Suppression.objects.all()

    def extra_context(self) -> dict[str, Any]:
        """Offer the look-up."""
        return {"address_form": AddressForm()}


@needs("consent.view_suppression")
@require_POST
def look_up(request: HttpRequest) -> HttpResponse:
    """Tell whether an address is on the list. By POST: an address does not belong in a web address."""
    form = AddressForm(request.POST)
    context: dict[str, Any] = {"address_form": form, "add_form": SuppressForm(initial=request.POST.dict())}
    if form.is_valid():
        context["found"] = list(find_suppressions(**form.cleaned_data))
        context["asked"] = form.cleaned_data["value"]
        record_access(request=request, action="suppression.looked_up", detail={"found": len(context["found"])})
    return render(request, "consent/suppression_answer.html", context, status=422 if form.errors else 200)


@needs("consent.add_suppression")
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Put an address on the list."""
    form = SuppressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        suppress_address(actor=request.user, **form.cleaned_data)
        messages.success(request, _("The address is on the list: nothing is sent to it from now on."))
        return redirect("consent:suppression")
    return render(request, "consent/suppression_add.html", {"form": form}, status=422 if form.errors else 200)


@needs("consent.add_suppression")
@require_POST
def lift(request: HttpRequest, suppression_id: int) -> HttpResponse:
    """Allow an address again."""
    try:
        note = request.POST.get("reason", "").replace("\x00", "")
        lift_suppression(suppression_id=suppression_id, actor=request.user, note=note)
    except CdpError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The address may be used again. The entry stays, with your reason."))
    return redirect("consent:suppression")
