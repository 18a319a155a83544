"""Probes for an orchestrator and the page for people."""

from django.urls import path

from cdp.health import dead_letters, views

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("system/health/", views.HealthPage.as_view(), name="health"),
    path("system/health/dead-letters/", dead_letters.DeadLetterList.as_view(), name="dead_letters"),
    path("system/health/dead-letters/retry/", dead_letters.retry_all, name="dead_letters_retry"),
    path("system/health/dead-letters/<int:pk>/retry/", dead_letters.retry, name="dead_letter_retry"),
    path("system/health/dead-letters/<int:pk>/discard/", dead_letters.discard, name="dead_letter_discard"),
]
