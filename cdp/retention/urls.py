"""Addresses of the retention pages."""

from django.urls import path

from cdp.retention import pages

urlpatterns = [
    path("privacy/retention/", pages.retention_page, name="retention"),
    path("privacy/retention/<slug:name>/", pages.retention_class, name="retention_class"),
]
