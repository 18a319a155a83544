"""Who is in which group."""

from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    """Rule language, compiler, membership, builder."""

    name = "segments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hand the app's parts to the registries."""
        from segments import registrations, tasks  # noqa: F401 - need the app registry; tasks register themselves

        registrations.register()
