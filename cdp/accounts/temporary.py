"""A password that somebody else set: whoever logs in with it chooses their own before anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cdp.common.models import Account

#: in the session, put there at log-in: no page asks the database for it
MARK = "password_is_temporary"


def mark_session(request: HttpRequest, user: Any) -> None:
    """Note in the session that the password with which it began has to be replaced."""
    if Account.objects.filter(user=user).exclude(temporary_until=None).exists():
        request.session[MARK] = True


class TemporaryPassword:
    """Middleware: lead a session that began with a temporary password to the page that replaces it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, or lead to the page."""
        # Without a cookie there is no session to ask the database for: links and probes pass when it is away.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.session.get(MARK):
            return self.get_response(request)
        page = reverse("password_change")
        if request.path in (page, reverse("logout"), reverse("set_language")):
            return self.get_response(request)
        if request.path.startswith("/api/"):
            told = _("Replace your temporary password first.")
            return JsonResponse({"code": "password_temporary", "message": told}, status=403)
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Redirect": page})
        return redirect(page)
