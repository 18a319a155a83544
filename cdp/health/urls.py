"""Probes for an orchestrator and the page for people."""

from django.urls import path

from cdp.health import views

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("system/health/", views.HealthPage.as_view(), name="health"),
]
