"""The staff site: Django's admin in our own dress, entered through our own log-in page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from cdp.common.service_admin import ServiceAdmin


class KlantbeeldAdminSite(admin.AdminSite):
    """The admin at /admin/."""

    site_header = "Klantbeeld"
    site_title = "Klantbeeld"
    index_title = _("System")
    enable_nav_sidebar = False

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register a model; the lists of other packages come in pages by key too, and count nothing large."""
        admin_class = admin_class or ServiceAdmin
        if not issubclass(admin_class, ServiceAdmin):
            admin_class = type(
                admin_class.__name__, (admin_class, ServiceAdmin), {"__module__": admin_class.__module__}
            )
        super().register(model_or_iterable, admin_class, **options)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Lead to the one log-in page; refuse a known reader who is no staff (a redirect would go round for ever)."""
        target = request.GET.get("next") or reverse("admin:index")
        if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
            target = reverse("admin:index")
        if request.user.is_authenticated:
            if not self.has_permission(request):
                raise PermissionDenied(_("The system pages are for staff."))
            return redirect(target)
        return redirect_to_login(target, reverse("login"))
