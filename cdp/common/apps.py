"""The shared room at the bottom of every arrow."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CommonConfig(AppConfig):
    """`cdp.common`: errors, registries, tokens, access log, heartbeats, UI kit."""

    name = "cdp.common"
    verbose_name = _("General")
    label = "common"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Describe our token in the OpenAPI document."""
        from cdp.common import api_schema  # noqa: F401 - importing it registers it; needs the app registry
