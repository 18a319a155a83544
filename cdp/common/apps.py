"""The shared room at the bottom of every arrow."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    """`cdp.common`: errors, registries, tokens, access log, heartbeats, UI kit."""

    name = "cdp.common"
    label = "common"
    default_auto_field = "django.db.models.BigAutoField"
