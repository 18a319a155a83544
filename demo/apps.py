"""The demo shop as an app of its own: there where its folder is, and left out of the image."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Brings `manage.py demo` along."""

    name = "demo"
