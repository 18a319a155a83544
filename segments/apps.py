"""Who is in which group."""

from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    """Rule language, compiler, membership, builder."""

    name = "segments"
    default_auto_field = "django.db.models.BigAutoField"
