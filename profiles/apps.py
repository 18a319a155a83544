"""Who a person is and what they did."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProfilesConfig(AppConfig):
    """Sources, collection, identity, interactions, the 360 page, imports."""

    name = "profiles"
    verbose_name = _("Customers")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hand the app's parts to the registries, and its tasks to Celery; both need the app registry."""
        for part in ("profiles.screens", "profiles.registrations", "profiles.importing.registrations"):
            import_module(part).register()
        for tasks in ("profiles.tasks", "profiles.importing.tasks"):
            import_module(tasks)
