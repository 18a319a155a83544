"""What is sent, to whom, with what result."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    """Messages, campaigns, sending, reports."""

    name = "campaigns"
    verbose_name = _("Campaigns")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hand the app's parts to the registries."""
        from campaigns import registrations

        registrations.register()
