"""Who a person is and what they did."""

from django.apps import AppConfig


class ProfilesConfig(AppConfig):
    """Sources, collection, identity, interactions, the 360 page, imports."""

    name = "profiles"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hand the app's pages to the registries."""
        from profiles import screens  # needs the app registry

        screens.register()
