"""What a refused reader sees: a stranger is led to the log-in page, a known reader is told what is missing.

Programs, which ask below /api/, are told in JSON.
"""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.csrf import csrf_failure

from cdp.common.api_answers import is_api, refusal


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a 403: log in first where that may help, else the page that says so."""
    if is_api(request):
        return refusal(403, "permission_denied", _("This request is not allowed."))
    if not request.user.is_authenticated and request.method == "GET" and not getattr(request, "htmx", False):
        return redirect_to_login(request.get_full_path())
    return defaults.permission_denied(request, exception or PermissionError())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a 400 of Django's own: a wrong host, a body that cannot be read."""
    if is_api(request):
        return refusal(400, "bad_request", _("This request cannot be read."))
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a 404."""
    if is_api(request):
        return refusal(404, "not_found", _("There is no such address."))
    return defaults.page_not_found(request, exception)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a request that may come from another site."""
    if is_api(request):
        return refusal(403, "permission_denied", _("This request is not allowed."))
    return csrf_failure(request, reason=reason)
