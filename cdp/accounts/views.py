"""Log in and change one's own password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.generic import FormView

from cdp.accounts.devices import remember_device
from cdp.accounts.forms import LoginForm
from cdp.accounts.login_limits import login_address
from cdp.accounts.password_gate import TooManyAtOnce, checking_password
from cdp.accounts.services import choose_own_password
from cdp.accounts.temporary import MARK

if TYPE_CHECKING:
    FormPage = FormView[Any]
else:
    FormPage = object


class PasswordChecking(FormPage):
    """A page whose form checks a password: no more of them at once than the machine bears."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the form while holding a place."""
        try:
            with checking_password(login_address(request)):
                return super().post(request, *args, **kwargs)
        except TooManyAtOnce:
            response = render(request, "registration/busy.html", status=429)
            response["Retry-After"] = "2"
            return response


class KitLoginView(PasswordChecking, auth_views.LoginView):
    """The log-in page. A reader who is already known goes on to home."""

    redirect_authenticated_user = True
    authentication_form = LoginForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send a whole page to log in when a partial update finds the session gone."""
        if request.headers.get("HX-Request") and request.method == "GET":
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Log in, and remember the device."""
        response = super().form_valid(form)
        remember_device(self.request, response, form.get_user().get_username())
        return response


class KitPasswordChangeView(PasswordChecking, auth_views.PasswordChangeView):
    """Change one's own password, and stay logged in here."""

    success_url = reverse_lazy("home")

    def form_valid(self, form: Any) -> HttpResponse:
        """Say that it worked."""
        response = super().form_valid(form)
        choose_own_password(form.user)
        self.request.session.pop(MARK, None)
        messages.success(self.request, _("Your password was changed. Other devices are logged out."))
        return response
