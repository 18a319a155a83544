"""The project as an app: its commands, checks and the staff site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class CdpConfig(AppConfig):
    """Management commands and templates tags of the composition root."""

    name = "cdp"
    label = "cdp"


class KlantbeeldAdminConfig(AdminConfig):
    """Make our own AdminSite the default, so that apps register with `@admin.register`."""

    default_site = "cdp.admin_site.KlantbeeldAdminSite"
