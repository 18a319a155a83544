"""Who a person is and what they did."""

from django.apps import AppConfig


class ProfilesConfig(AppConfig):
    """Sources, collection, identity, interactions, the 360 page, imports."""

    name = "profiles"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hand the app's pages and imports to the registries, and make its tasks known."""
        from profiles import screens  # needs the app registry
        from profiles.importing import registrations, tasks  # noqa: F401 - loading the module names the task

        screens.register()
        registrations.register()
