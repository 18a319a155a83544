"""The kinds of identifier, and what of each can be set."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from cdp.common.errors import CdpError
from cdp.common.guards import needs
from profiles.forms.kinds import KindForm
from profiles.identity.junk import known_junk
from profiles.models import IdentifierKind
from profiles.services.kinds import holders_of_blocked, update_kind

MAY_SEE = "profiles.view_identifierkind"
MAY_SET = "profiles.change_identifierkind"


@needs(MAY_SEE)
@require_GET
def kind_list(request: HttpRequest) -> HttpResponse:
    """List the kinds, the strongest first."""
    return render(request, "profiles/kinds.html", {"kinds": IdentifierKind.objects.order_by("priority", "name")})


@needs(MAY_SEE)
@require_http_methods(["GET", "POST"])
def kind_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one kind; change it."""
    kind = get_object_or_404(IdentifierKind, pk=name)
    may_set = request.user.has_perm(MAY_SET)
    initial = {"label": kind.label, "limit": kind.limit, "blocked_values": "\n".join(kind.blocked_values)}
    form = KindForm(request.POST or None, initial=initial)
    if request.method == "POST":
        if not may_set:
            return render(request, "403.html", status=403)
        if form.is_valid() and _save(request, kind, form):
            return redirect("profiles:kind", name=kind.pk)
    context = {
        "kind": kind,
        "form": form if may_set else None,
        "holders": holders_of_blocked(kind),
        "known": known_junk(),
    }
    return render(request, "profiles/kind.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, kind: IdentifierKind, form: KindForm) -> bool:
    values = [line.strip() for line in form.cleaned_data["blocked_values"].splitlines() if line.strip()]
    data = {"label": form.cleaned_data["label"], "limit": form.cleaned_data["limit"], "blocked_values": values}
    try:
        saved = update_kind(name=kind.pk, actor=request.user, **data)
    except CdpError as error:
        form.add_error(error.place if error.place in form.fields else None, error.message)
        return False
    messages.success(request, _("Saved. It holds from the next message and import on."))
    if holders := holders_of_blocked(saved):
        words = ngettext(
            "%(count)s person holds a blocked value from before and keeps it; nobody is merged by it any more.",
            "%(count)s people hold a blocked value from before and keep it; nobody is merged by it any more.",
            holders,
        )
        messages.warning(request, words % {"count": holders})
    return True


urlpatterns = [
    path("identifiers/", kind_list, name="kinds"),
    path("identifiers/<slug:name>/", kind_page, name="kind"),
]
