"""What a person allowed, and the proof."""

from django.apps import AppConfig


class ConsentConfig(AppConfig):
    """Purposes, the ledger, suppression, preference centre, privacy desk."""

    name = "consent"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hand the app's parts to the registries."""
        from consent import registrations

        registrations.register()
