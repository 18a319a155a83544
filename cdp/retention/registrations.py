"""What the project's own part of retention hands to the registries."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.registry import HealthCheck, health_checks
from cdp.retention import own
from cdp.retention.health import retention_health


def register() -> None:
    """Fill the registries."""
    own.register()
    health_checks.add("retention", HealthCheck(label=_("How long data is kept"), run=retention_health, critical=False))
