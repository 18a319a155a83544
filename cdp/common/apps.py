"""The shared room at the bottom of every arrow."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    """`cdp.common`: errors, registries, tokens, access log, heartbeats, UI kit."""

    name = "cdp.common"
    label = "common"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Describe our token in the OpenAPI document."""
        from cdp.common import api_schema  # noqa: F401 - importing it registers it; needs the app registry
