"""Log in and change one's own password."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from django.utils.translation import gettext as _


class KitLoginView(auth_views.LoginView):
    """The log-in page. A reader who is already known goes on to home."""

    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send a whole page to log in when a partial update finds the session gone."""
        if request.headers.get("HX-Request") and request.method == "GET":
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return super().dispatch(request, *args, **kwargs)


class KitPasswordChangeView(auth_views.PasswordChangeView):
    """Change one's own password, and stay logged in here."""

    success_url = reverse_lazy("home")

    def form_valid(self, form: Any) -> HttpResponse:
        """Say that it worked."""
        messages.success(self.request, _("Your password was changed. Other devices are logged out."))
        return super().form_valid(form)
