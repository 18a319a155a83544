"""The project as an app: its commands, checks and the staff site."""

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate

from cdp.home.navigation import register as register_navigation


class CdpConfig(AppConfig):
    """Management commands and templates tags of the composition root."""

    name = "cdp"
    label = "cdp"

    def ready(self) -> None:
        """Keep the roles in step with the table after every migrate."""
        register_navigation()
        from cdp.role_sync import sync_roles  # needs the app registry, as Django's ready() hooks do

        # The signal comes once per app, in the order of INSTALLED_APPS: after the last, every permission exists.
        post_migrate.connect(sync_roles, sender=apps.get_app_config("campaigns"), dispatch_uid="cdp.sync_roles")


class KlantbeeldAdminConfig(AdminConfig):
    """Make our own AdminSite the default, so that apps register with `@admin.register`."""

    default_site = "cdp.admin_site.KlantbeeldAdminSite"
