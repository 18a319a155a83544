"""What a person allowed, and the proof."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConsentConfig(AppConfig):
    """Purposes, the ledger, suppression, preference centre, privacy desk."""

    name = "consent"
    verbose_name = _("Privacy")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hand the app's parts to the registries."""
        from consent import registrations

        registrations.register()
