"""The project as an app: its commands, checks and the staff site."""

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.db.models.signals import post_migrate

from cdp.celery import app as celery_app
from cdp.home.navigation import register as register_navigation


class CdpConfig(AppConfig):
    """Management commands and templates tags of the composition root."""

    name = "cdp"
    label = "cdp"

    def ready(self) -> None:
        """Keep roles, schedules and the broker's queue in step after every migrate."""
        # These need the app registry, so they cannot be imported with this module.
        from cdp import personal_data
        from cdp.accounts import change_log
        from cdp.broker.transport import install_broker
        from cdp.health import queue_checks
        from cdp.retention.registrations import register as register_retention
        from cdp.role_sync import sync_roles
        from cdp.schedules import sync_schedules

        register_navigation()
        change_log.connect()
        queue_checks.register()
        register_retention()
        personal_data.register()
        celery_app.set_default()
        celery_app.loader.import_task_module("cdp.tasks")

        # The signal comes once per app, in the order of INSTALLED_APPS: after the last, every permission exists.
        last = apps.get_app_config("campaigns")
        post_migrate.connect(sync_roles, sender=last, dispatch_uid="cdp.sync_roles")
        post_migrate.connect(sync_schedules, sender=last, dispatch_uid="cdp.sync_schedules")
        post_migrate.connect(install_broker, sender=last, dispatch_uid="cdp.install_broker")


class KlantbeeldAdminConfig(AdminConfig):
    """Make our own AdminSite the default, so that apps register with `@admin.register`."""

    default_site = "cdp.admin_site.KlantbeeldAdminSite"


class OwnStaticFilesConfig(StaticFilesConfig):
    """Leave out what the collector serves itself: the sites' library, whose names its own parts ask for unchanged."""

    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "analytics-next"]
