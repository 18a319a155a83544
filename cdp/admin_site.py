"""The staff site: Django's admin in our own dress."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class KlantbeeldAdminSite(admin.AdminSite):
    """The admin at /admin/."""

    site_header = "Klantbeeld"
    site_title = "Klantbeeld"
    index_title = _("System")
