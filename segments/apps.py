"""Who is in which group."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SegmentsConfig(AppConfig):
    """Rule language, compiler, membership, builder."""

    name = "segments"
    verbose_name = _("Segments")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hand the app's parts to the registries."""
        from segments import registrations, tasks  # noqa: F401 - need the app registry; tasks register themselves

        registrations.register()
