"""What a person allowed, and the proof."""

from django.apps import AppConfig


class ConsentConfig(AppConfig):
    """Purposes, the ledger, suppression, preference centre, privacy desk."""

    name = "consent"
    default_auto_field = "django.db.models.BigAutoField"
