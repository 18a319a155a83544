"""Who a person is and what they did."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ProfilesConfig(AppConfig):
    """Sources, collection, identity, interactions, the 360 page, imports."""

    name = "profiles"
    verbose_name = _("Customers")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hand the app's parts to the registries, and its tasks to Celery; both need the app registry."""
        import_module("profiles.identity.phones").set_home_region(settings.BUSINESS_COUNTRY)
        import_module("profiles.registrations").register()
        for tasks in ("profiles.tasks", "profiles.importing.tasks"):
            import_module(tasks)
        post_migrate.connect(make_partitions, sender=self, dispatch_uid="profiles.make_partitions")


def make_partitions(**_signal: Any) -> None:
    """See to it after every migrate, and so at every start, that what comes in now has a place."""
    import_module("profiles.partitions").make_ahead()
