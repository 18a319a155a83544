"""What a refused reader sees: a stranger is led to the log-in page, a known reader is told what is missing."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.views.defaults import permission_denied


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a 403: log in first where that may help, else the page that says so."""
    if not request.user.is_authenticated and request.method == "GET" and not getattr(request, "htmx", False):
        return redirect_to_login(request.get_full_path())
    return permission_denied(request, exception or PermissionError())
