"""The REST API's root: the viewsets that the apps registered, the schema and its page."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import DefaultRouter

from cdp.common.registry import api_routes


def api_urls() -> list[URLPattern | URLResolver]:
    """Return the addresses below /api/. The schema names no person, yet shows the inside: for known users only."""
    router = DefaultRouter()
    for prefix, viewset in api_routes.items():
        router.register(prefix, viewset, basename=prefix)
    return [
        path("schema/", SpectacularAPIView.as_view(permission_classes=[IsAuthenticated]), name="api_schema"),
        path(
            "docs/",
            SpectacularSwaggerSplitView.as_view(url_name="api_schema", permission_classes=[IsAuthenticated]),
            name="api_docs",
        ),
        path("", include(router.urls)),
    ]
